import type {Acknowledgement} from '../../core/control/messages.ts';
import type {Bundle} from '../../core/policy/bundle.ts';
import type {ProxyRegistry} from '../policy/proxies.ts';
import type {BundlePublisher} from '../policy/publisher.ts';
import {bundleFor} from './bundles.ts';
import {type Caller, proxyIdentity} from './caller.ts';

/** Bundles that a proxy may still acknowledge, being a little behind. */
const rememberedBundles = 8;
/** Acknowledgements of bundles that this replica does not know yet. */
const maximumUnresolved = 1024;

export interface Acknowledgements {
  /** Records what a proxy says about a bundle, in the proxy's proven name. */
  record(caller: Caller, acknowledgement: Acknowledgement): void;
  close(): void;
}

/**
 * A sidecar acknowledges the hash of its part of a bundle, while whoever counts knows the hash of the whole. This finds
 * the whole that the part is of. The bundle may have come from another replica that is ahead of this one; then the
 * acknowledgement is looked at again when this one catches up. Revisions are no help: replicas may differ in them.
 */
export function createAcknowledgements(
  publisher: BundlePublisher,
  proxies: Pick<ProxyRegistry, 'recordAcknowledgement'>,
): Acknowledgements {
  let bundles: readonly Bundle[] = [publisher.current()].filter((bundle) => bundle !== undefined);
  const unresolved = new Map<string, {readonly caller: Caller; readonly acknowledgement: Acknowledgement}>();

  function resolve(caller: Caller, acknowledgement: Acknowledgement): boolean {
    const whole = bundles.find((bundle) => bundleFor(caller, bundle).hash === acknowledgement.hash);
    const proxy = proxyIdentity(caller, acknowledgement.proxy);
    proxies.recordAcknowledgement({...acknowledgement, proxy, ...(whole && {hash: whole.hash})});
    return whole !== undefined;
  }

  const unsubscribe = publisher.subscribe((bundle) => {
    bundles = [bundle, ...bundles].slice(0, rememberedBundles);
    for (const [identity, {caller, acknowledgement}] of unresolved) {
      if (bundleFor(caller, bundle).hash === acknowledgement.hash) {
        unresolved.delete(identity);
        resolve(caller, acknowledgement);
      }
    }
  });

  return {
    record(caller, acknowledgement) {
      const identity = proxyIdentity(caller, acknowledgement.proxy);
      unresolved.delete(identity);
      if (!resolve(caller, acknowledgement) && unresolved.size < maximumUnresolved) {
        unresolved.set(identity, {caller, acknowledgement});
      }
    },
    close: unsubscribe,
  };
}
