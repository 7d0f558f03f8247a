import type {Bundle} from '../../core/policy/bundle.ts';

/** Where the control server takes bundles from. */
export interface BundlePublisher {
  /** The newest bundle; undefined until the policies were listed and compiled for the first time. */
  current(): Bundle | undefined;
  /** Calls back with each bundle published from now on; gives the way to stop. */
  subscribe(listener: (bundle: Bundle) => void): () => void;
}
