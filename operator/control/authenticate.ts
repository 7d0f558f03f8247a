import {createHash} from 'node:crypto';
import type {IncomingMessage} from 'node:http';
import {controlAudience} from '../../core/control/messages.ts';
import type {KubeClient} from '../kube/client.ts';
import {type Caller, callerOf} from './caller.ts';
import {Refusal} from './refusal.ts';

/** Gives the caller behind a bearer token, or rejects with a Refusal: 401, 403, or 503 where nobody can tell. */
export type Authenticate = (token: string) => Promise<Caller>;

export interface AuthenticateOptions {
  readonly client: Pick<KubeClient, 'create'>;
  /** The gateway's ServiceAccounts; any other ServiceAccount is a sidecar's. */
  readonly gatewayServiceAccounts: readonly {readonly namespace: string; readonly name: string}[];
  /** Wall clock, milliseconds since the epoch. */
  readonly now: () => number;
}

/** A ServiceAccount, pod or token that is deleted loses its access no later than this. */
const acceptedMilliseconds = 60_000;
/** Long enough that a client in a loop does not load the API server; short enough for a ServiceAccount just created. */
const refusedMilliseconds = 5_000;
/** Of each kind of verdict apart, so that invented tokens cannot push out the verdicts on real ones. */
const maximumVerdicts = 4096;
/** Invented tokens must not become a flood of TokenReviews. */
const maximumReviewsUnderWay = 128;

type Verdict =
  | {readonly kind: 'Accepted'; readonly caller: Caller; readonly until: number}
  | {readonly kind: 'Refused'; readonly refusal: Refusal; readonly until: number};

interface TokenReview {
  readonly status?: {
    readonly authenticated?: boolean;
    readonly error?: string;
    readonly audiences?: readonly string[];
    readonly user?: {readonly username?: string; readonly groups?: readonly string[]};
  };
}

/** Authentication by TokenReview (authentication.k8s.io/v1), with verdicts cached for a short time. */
export function createAuthenticate(options: AuthenticateOptions): Authenticate {
  const {client, now} = options;
  const gateways = new Set(
    options.gatewayServiceAccounts.map(({namespace, name}) => `system:serviceaccount:${namespace}:${name}`),
  );
  const verdicts = {Accepted: new Map<string, Verdict>(), Refused: new Map<string, Verdict>()};
  const underWay = new Map<string, Promise<Verdict>>();

  async function review(token: string): Promise<Verdict> {
    const body = {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenReview',
      spec: {token, audiences: [controlAudience]},
    };
    let answer: TokenReview;
    try {
      answer = await client.create<TokenReview>('/apis/authentication.k8s.io/v1/tokenreviews', body);
    } catch (cause) {
      const message = 'The API server could not be asked about the token; try again.';
      throw new Refusal('AuthenticationUnavailable', 503, message, {retryAfterSeconds: 1, cause});
    }
    return verdictOf(answer, token, gateways, now());
  }

  function remember(key: string, verdict: Verdict): void {
    const cache = verdicts[verdict.kind];
    cache.delete(key);
    cache.set(key, verdict);
    if (cache.size > maximumVerdicts) {
      for (const oldest of cache.keys()) {
        cache.delete(oldest);
        break;
      }
    }
  }

  return async (token) => {
    // The cache must not be a store of credentials.
    const key = createHash('sha256').update(token).digest('hex');
    let verdict = verdicts.Accepted.get(key) ?? verdicts.Refused.get(key);
    if (!verdict || verdict.until <= now()) {
      verdicts.Accepted.delete(key);
      verdicts.Refused.delete(key);
      if (!underWay.has(key) && underWay.size >= maximumReviewsUnderWay) {
        throw new Refusal('Overloaded', 429, 'Too many tokens are being checked; try again.', {retryAfterSeconds: 1});
      }
      const asked = underWay.get(key) ?? review(token).finally(() => underWay.delete(key));
      underWay.set(key, asked);
      verdict = await asked;
      remember(key, verdict);
    }
    switch (verdict.kind) {
      case 'Accepted':
        return verdict.caller;
      case 'Refused':
        throw verdict.refusal;
    }
  };
}

function verdictOf({status}: TokenReview, token: string, gateways: ReadonlySet<string>, now: number): Verdict {
  const refused = (refusal: Refusal): Verdict => ({kind: 'Refused', refusal, until: now + refusedMilliseconds});
  // An authenticator that knows nothing of audiences leaves them empty: then the token was not issued for us.
  if (status?.authenticated !== true || !status.audiences?.includes(controlAudience)) {
    const why = status?.error || 'it is not a valid token of that audience';
    const message = `A ServiceAccount token of audience ${controlAudience} is needed: ${why}.`;
    return refused(new Refusal('Unauthenticated', 401, message));
  }
  const {username = '', groups = []} = status.user ?? {};
  const caller = callerOf({username, groups}, gateways);
  if (!caller) {
    const message = `Only ServiceAccounts may call the control API; ${username} is none.`;
    return refused(new Refusal('NotServiceAccount', 403, message));
  }
  const until = Math.min(now + acceptedMilliseconds, expiryOf(token));
  return until > now
    ? {kind: 'Accepted', caller, until}
    : refused(new Refusal('Unauthenticated', 401, 'The token has expired, or never would.'));
}

/** `exp` of a JWT that the API server has found valid, milliseconds; 0 where there is none, as such a token never ends. */
function expiryOf(token: string): number {
  try {
    const claims: unknown = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString('utf8'));
    const exp = typeof claims === 'object' && claims !== null && 'exp' in claims ? claims.exp : undefined;
    return typeof exp === 'number' ? exp * 1000 : 0;
  } catch {
    return 0;
  }
}

/** The bearer token of a request; refused with 401 where there is none, or more than one. */
export function bearerToken({headersDistinct}: IncomingMessage): string {
  const [header, ...more] = headersDistinct.authorization ?? [];
  const token = /^Bearer +([A-Za-z0-9._~+/-]+=*)$/i.exec(header ?? '')?.[1];
  if (token === undefined || more.length > 0) {
    const message = `Exactly one header "Authorization: Bearer <ServiceAccount token of audience ${controlAudience}>" is needed.`;
    throw new Refusal('Unauthenticated', 401, message);
  }
  return token;
}
