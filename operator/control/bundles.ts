import type {ServerResponse} from 'node:http';
import type {Gauge} from 'prom-client';
import {type BundleMessage, heartbeatSeconds} from '../../core/control/messages.ts';
import type {Bundle} from '../../core/policy/bundle.ts';
import {bundleHash} from '../../core/policy/hash.ts';
import type {Clock} from '../kube/clock.ts';
import type {ProxyRegistry} from '../policy/proxies.ts';
import type {BundlePublisher} from '../policy/publisher.ts';
import {type Caller, proxyIdentity, servesPolicy} from './caller.ts';
import {Refusal} from './refusal.ts';

/** Streams that one ServiceAccount may hold, so that a token in the wrong hands cannot take all memory. */
const maximumStreamsForCaller = 1024;
/** A reader that takes nothing for this long is as good as gone; it comes back and begins with the newest bundle. */
const stalledMilliseconds = 60_000;

export interface BundleStreamsOptions {
  readonly publisher: BundlePublisher;
  readonly proxies: Pick<ProxyRegistry, 'connected' | 'disconnected'>;
  readonly clock: Clock;
  readonly connected: Pick<Gauge, 'inc' | 'dec'>;
}

export interface BundleStreams {
  /**
   * Streams the bundles that concern the caller, the current one first, until the connection or the server closes.
   * @param recheck rejects once the caller's token is no longer good; asked with each heartbeat
   */
  open(caller: Caller, proxy: string, response: ServerResponse, recheck: () => Promise<unknown>): void;
  /** Ends every stream. */
  close(): void;
}

export function createBundleStreams({publisher, proxies, clock, connected}: BundleStreamsOptions): BundleStreams {
  const streams = new Map<ServerResponse, {readonly username: string; readonly end: () => void}>();
  // For the gateways, whose bundle is the whole one, once for all of them.
  const whole = new WeakMap<Bundle, string>();

  function lineFor(caller: Caller, bundle: Bundle): string {
    if (caller.kind === 'Sidecar') {
      return line({type: 'Bundle', bundle: bundleFor(caller, bundle)});
    }
    const known = whole.get(bundle) ?? line({type: 'Bundle', bundle});
    whole.set(bundle, known);
    return known;
  }

  return {
    open(caller, proxy, response, recheck) {
      const {username} = caller;
      if ([...streams.values()].filter((stream) => stream.username === username).length >= maximumStreamsForCaller) {
        const message = `${username} already holds ${maximumStreamsForCaller} bundle streams.`;
        throw new Refusal('TooManyStreams', 429, message, {retryAfterSeconds: 30});
      }
      if (response.destroyed) {
        return;
      }
      const identity = proxyIdentity(caller, proxy);
      // Only the newest waits for a slow reader: what it overtakes is never built, so nothing piles up.
      let waiting = publisher.current();
      let writableSince: 'Writable' | number = 'Writable';

      function flush(): void {
        if (waiting && writableSince === 'Writable') {
          const text = lineFor(caller, waiting);
          waiting = undefined;
          write(text);
        }
      }
      function write(text: string): void {
        if (!response.write(text)) {
          writableSince = clock.monotonic();
        }
      }
      function beat(): void {
        recheck().catch((error: unknown) => {
          // While nobody can tell whether the token is good, what it was told before stands.
          if (!(error instanceof Refusal) || error.httpStatus < 500) {
            response.destroy();
          }
        });
        if (writableSince === 'Writable') {
          write(heartbeat);
        } else if (clock.monotonic() - writableSince > stalledMilliseconds) {
          response.destroy();
        }
        cancelBeat = clock.after(heartbeatSeconds * 1000, beat);
      }

      let cancelBeat = clock.after(heartbeatSeconds * 1000, beat);
      const unsubscribe = publisher.subscribe((bundle) => {
        waiting = bundle;
        flush();
      });
      response.on('drain', () => {
        writableSince = 'Writable';
        flush();
      });
      response.once('close', () => {
        cancelBeat();
        unsubscribe();
        streams.delete(response);
        connected.dec();
        proxies.disconnected(identity);
      });
      streams.set(response, {username, end: () => response.end()});
      connected.inc();
      proxies.connected(identity);
      response.writeHead(200, {'content-type': 'application/x-ndjson', 'cache-control': 'no-store'});
      response.flushHeaders();
      flush();
    },

    close() {
      for (const {end} of streams.values()) {
        end();
      }
    },
  };
}

/** The part of a bundle that concerns the caller, with a hash of its own; the whole for a gateway. */
export function bundleFor(caller: Caller, bundle: Bundle): Bundle {
  if (caller.kind === 'Gateway') {
    return bundle;
  }
  const policies = bundle.policies.filter((policy) => servesPolicy(caller, policy));
  return {...bundle, policies, hash: bundleHash({rootNamespace: bundle.rootNamespace, policies})};
}

function line(message: BundleMessage): string {
  return `${JSON.stringify(message)}\n`;
}

const heartbeat = line({type: 'Heartbeat'});
