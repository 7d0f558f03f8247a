import type {Bundle} from '../../core/policy/bundle.ts';
import type {StoredPolicy} from './parse.ts';

/** Proxies acknowledge within seconds; one that lags further behind counts as waiting. */
const rememberedBundles = 32;

/** Which generations the newest bundles held: a proxy acknowledges only a bundle's hash. */
export class BundleHistory {
  /** Hash → policy → uid and generation; newest last. */
  readonly #bundles = new Map<string, ReadonlyMap<string, string>>();

  record({hash, policies}: Bundle): void {
    this.#bundles.delete(hash);
    this.#bundles.set(
      hash,
      new Map(policies.map(({namespace, name, uid, generation}) => [`${namespace}/${name}`, `${uid}/${generation}`])),
    );
    for (const oldest of this.#bundles.keys()) {
      if (this.#bundles.size <= rememberedBundles) break;
      this.#bundles.delete(oldest);
    }
  }

  /** Whether the bundle with that hash held this generation of the policy; false for a bundle not remembered. */
  holds(hash: string, {metadata: {namespace, name, uid, generation}}: StoredPolicy): boolean {
    return this.#bundles.get(hash)?.get(`${namespace}/${name}`) === `${uid}/${generation}`;
  }
}
