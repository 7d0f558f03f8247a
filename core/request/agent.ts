/** Who calls: the verdict on one token. Immutable, one object for each cached token, so it serves as a WeakMap key. */
export interface Agent {
  /** As the API server will see it, prefix included, for example `agent:build-bot` or `system:serviceaccount:ns:name`. */
  readonly username: string;
  readonly uid: string;
  readonly groups: readonly string[];
  readonly extra: Readonly<Record<string, readonly string[]>>;
  /** The `iss` claim. */
  readonly issuer: string;
  /** The token's claims as decoded JSON, for CEL. */
  readonly claims: Readonly<Record<string, unknown>>;
  /** Set for Kubernetes ServiceAccount tokens. */
  readonly serviceAccount: {readonly namespace: string; readonly name: string} | undefined;
  /** `exp` of the token, milliseconds since the epoch. */
  readonly expiresAtMilliseconds: number;
}
