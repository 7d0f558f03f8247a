import {createLocalJWKSet, errors, type FlattenedJWSInput, type JSONWebKeySet, type JWSHeaderParameters} from 'jose';
import type {Issuer} from './configuration.ts';
import type {FetchDocument} from './document.ts';
import {AuthenticationUnavailable} from './errors.ts';

/** Keys that an issuer withdrew are trusted no longer than this. */
const maximumAgeMilliseconds = 10 * 60_000;
/** A key that is not known is looked for at most this often, so that invented key ids do not load the issuer. */
const unknownKeyMilliseconds = 10_000;
/** An issuer that is down is asked at most this often. */
const failureMilliseconds = 5_000;
const timeoutMilliseconds = 10_000;

type LocalKeySet = ReturnType<typeof createLocalJWKSet>;

export interface KeySetOptions {
  /** For messages. */
  readonly issuer: string;
  readonly fetchKeys: (signal: AbortSignal) => Promise<unknown>;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  readonly log: {warn(message: string): void};
}

/**
 * The verification keys of one issuer: fetched when first asked for, again when old, and again for a key that is not
 * known, as issuers rotate. jose's own remote key set reads the system's clock and knows no pause after a failure.
 */
export class KeySet {
  readonly #options: KeySetOptions;
  #keys: {readonly local: LocalKeySet; readonly fetchedAt: number} | undefined;
  #failure: {readonly error: AuthenticationUnavailable; readonly at: number} | undefined;
  #fetching: Promise<LocalKeySet> | undefined;

  constructor(options: KeySetOptions) {
    this.#options = options;
  }

  /**
   * The key for a token's header, as jose asks for it.
   *
   * @throws {AuthenticationUnavailable} where the issuer cannot be asked
   * @throws {errors.JOSEError} where it has no such key
   */
  async key(header: JWSHeaderParameters, token: FlattenedJWSInput): Promise<CryptoKey> {
    const local = await this.#current();
    try {
      return await local(header, token);
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey) || !this.#mayLookAgain(local)) throw error;
    }
    const fetched = await this.#fetch();
    return fetched(header, token);
  }

  async #current(): Promise<LocalKeySet> {
    const keys = this.#keys;
    const isFresh = keys !== undefined && this.#options.now() < keys.fetchedAt + maximumAgeMilliseconds;
    return isFresh ? keys.local : this.#fetch();
  }

  /** Another call may have fetched while this one looked. */
  #mayLookAgain(used: LocalKeySet): boolean {
    const keys = this.#keys;
    return keys?.local !== used || this.#options.now() >= keys.fetchedAt + unknownKeyMilliseconds;
  }

  /** Calls at the same time share one fetch. */
  async #fetch(): Promise<LocalKeySet> {
    const failure = this.#failure;
    if (failure !== undefined && this.#options.now() < failure.at + failureMilliseconds) throw failure.error;
    this.#fetching ??= this.#fetchOnce().finally(() => {
      this.#fetching = undefined;
    });
    return this.#fetching;
  }

  async #fetchOnce(): Promise<LocalKeySet> {
    const {issuer, fetchKeys, now, log} = this.#options;
    try {
      const local = createLocalJWKSet((await fetchKeys(AbortSignal.timeout(timeoutMilliseconds))) as JSONWebKeySet);
      this.#keys = {local, fetchedAt: now()};
      this.#failure = undefined;
      return local;
    } catch (cause) {
      const error = new AuthenticationUnavailable(`the keys of the issuer ${issuer} cannot be had; try again`, {cause});
      this.#failure = {error, at: now()};
      log.warn(`cannot fetch the keys of the issuer ${issuer}: ${reasonOf(cause)}`);
      throw error;
    }
  }
}

/**
 * Finds and fetches an issuer's keys by OpenID Connect Discovery 1.0: the document must name the issuer itself, or one
 * issuer could speak for another.
 */
export async function discoverKeys(issuer: Issuer, fetch: FetchDocument, signal: AbortSignal): Promise<unknown> {
  const {url, discoveryURL, certificateAuthority} = issuer;
  const document = await fetch(discoveryURL ?? wellKnown(url), certificateAuthority, signal);
  const {issuer: named, jwks_uri: keysURL} = (document ?? {}) as {
    readonly issuer?: unknown;
    readonly jwks_uri?: unknown;
  };
  if (named !== url) throw new Error(`the discovery document names the issuer ${JSON.stringify(named)}, not ${url}`);
  if (typeof keysURL !== 'string' || URL.parse(keysURL)?.protocol !== 'https:') {
    throw new Error(`the discovery document's jwks_uri must be an https URL, not ${JSON.stringify(keysURL)}`);
  }
  return fetch(keysURL, certificateAuthority, signal);
}

function wellKnown(issuer: string): string {
  return `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`;
}

/** With its causes: fetch itself says no more than that it failed. */
function reasonOf(error: unknown): string {
  const {message, cause} = (error ?? {}) as {readonly message?: unknown; readonly cause?: unknown};
  const reason = typeof message === 'string' ? message : String(error);
  return cause === undefined ? reason : `${reason}: ${reasonOf(cause)}`;
}
