import type {Logger} from 'winston';
import type {Bundle} from '../../core/policy/bundle.ts';
import {compilePolicies} from '../../core/policy/compile.ts';
import type {Store} from '../kube/client.ts';
import type {Clock} from '../kube/clock.ts';
import {BundleHistory} from './history.ts';
import {policyKey, type StoredPolicy} from './parse.ts';
import type {BundlePublisher} from './publisher.ts';

/** One state of all policies and what compiling it gave. */
export interface CompiledPolicies {
  readonly policies: ReadonlyMap<string, StoredPolicy>;
  /** By `namespace/name`; a policy without problems has no entry. */
  readonly problems: ReadonlyMap<string, readonly string[]>;
  readonly bundle: Bundle;
}

export interface PolicyControllerOptions {
  readonly store: Store<StoredPolicy>;
  readonly rootNamespace: string;
  readonly clock: Clock;
  readonly log: Logger;
  /** Told of each compilation and how long it took. */
  readonly observe: (compiled: CompiledPolicies, seconds: number) => void;
}

/** Changes that come within this time of the first are compiled together. */
const gatherMilliseconds = 50;

/**
 * Compiles the policies of the cluster whenever one changes and publishes the bundle when its content did. Runs in
 * every replica: each serves its own proxies from its own cache.
 */
export class PolicyController implements BundlePublisher {
  readonly #options: PolicyControllerOptions;
  readonly #subscribers = new Set<(bundle: Bundle) => void>();
  readonly #listeners = new Set<() => void>();
  readonly #history = new BundleHistory();
  #compiled: CompiledPolicies | undefined;
  #current: Bundle | undefined;
  #cancel: (() => void) | undefined;

  constructor(options: PolicyControllerOptions) {
    this.#options = options;
  }

  current(): Bundle | undefined {
    return this.#current;
  }

  subscribe(listener: (bundle: Bundle) => void): () => void {
    this.#subscribers.add(listener);
    return () => this.#subscribers.delete(listener);
  }

  /** The newest compilation; its bundle may differ from `current()` in its revision alone. */
  compiled(): CompiledPolicies | undefined {
    return this.#compiled;
  }

  /** Calls back after each compilation, published or not. Gives the way to stop. */
  onCompiled(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Which generations the bundles published by this replica held. */
  get history(): Pick<BundleHistory, 'holds'> {
    return this.#history;
  }

  /** Follows the store until the signal aborts. Call it once the store is synced. */
  run(signal: AbortSignal): void {
    const {store, clock, log} = this.#options;
    const compile = () => {
      this.#cancel = undefined;
      if (signal.aborted) return;
      try {
        this.#compile();
      } catch (error) {
        // A fault of ours, not of a policy: proxies keep the last good bundle.
        log.error('policies not compiled', {error: error instanceof Error ? error.stack : String(error)});
      }
    };
    const stop = store.onChange(() => {
      this.#cancel ??= clock.after(gatherMilliseconds, compile);
    });
    signal.addEventListener('abort', () => {
      stop();
      this.#cancel?.();
    });
    compile();
  }

  #compile(): void {
    const {store, rootNamespace, clock, observe} = this.#options;
    const policies = new Map(store.list().map((policy) => [policyKey(policy), policy]));
    if (this.#compiled && sameSpecs(this.#compiled.policies, policies)) return;
    const startedAt = clock.monotonic();
    const revision = store.resourceVersion;
    const {bundle, problems} = compilePolicies([...policies.values()], {rootNamespace, revision});
    this.#compiled = {policies, problems, bundle};
    observe(this.#compiled, (clock.monotonic() - startedAt) / 1000);
    if (bundle.hash !== this.#current?.hash) this.#publish(bundle);
    for (const listener of this.#listeners) listener();
  }

  #publish(bundle: Bundle): void {
    const {log} = this.#options;
    this.#current = bundle;
    this.#history.record(bundle);
    log.info('bundle published', {revision: bundle.revision, hash: bundle.hash, policies: bundle.policies.length});
    for (const listener of this.#subscribers) listener(bundle);
  }
}

/** Status writes change objects, too; only a new generation, or another object of that name, is compiled again. */
function sameSpecs(before: ReadonlyMap<string, StoredPolicy>, now: ReadonlyMap<string, StoredPolicy>): boolean {
  if (before.size !== now.size) return false;
  for (const [key, {metadata}] of now) {
    const earlier = before.get(key)?.metadata;
    if (earlier?.uid !== metadata.uid || earlier.generation !== metadata.generation) return false;
  }
  return true;
}
