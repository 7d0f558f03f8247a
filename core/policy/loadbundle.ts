import {bundleHash} from './hash.ts';
import {LoadedBundle} from './loadedbundle.ts';
import {parseBundle} from './parsebundle.ts';

/** A bundle that a proxy must not put in force. It is rejected whole, and the one before it stays. */
export class BundleRejected extends Error {
  override readonly name = 'BundleRejected';
  readonly code: 'Malformed' | 'HashMismatch';

  constructor(code: BundleRejected['code'], message: string) {
    super(message);
    this.code = code;
  }
}

/**
 * Parses a received bundle strictly and prepares it for evaluation: expressions parsed, patterns indexed.
 *
 * @param received decoded JSON.
 * @throws {BundleRejected} for any field, effect, mode or schema version that this proxy does not know, since it might
 * be what denies, and where the content does not have the hash that it says.
 */
export function loadBundle(received: unknown): LoadedBundle {
  const parsed = parseBundle(received);
  if ('problem' in parsed) {
    throw new BundleRejected('Malformed', parsed.problem);
  }
  const {bundle} = parsed;
  const hash = bundleHash(bundle);
  if (hash !== bundle.hash) {
    throw new BundleRejected('HashMismatch', `hash: the content has ${hash}, the bundle says ${bundle.hash}`);
  }
  return new LoadedBundle(bundle);
}
