import {Agent, request} from 'undici';
import type {Credential} from './credential.ts';
import type {UpstreamTarget} from './transport.ts';

/**
 * The keys that sign the cluster's ServiceAccount tokens, from the API server itself: a JWKS as decoded JSON.
 * Kubernetes lets every ServiceAccount read them (ClusterRole system:service-account-issuer-discovery).
 */
export async function clusterKeys(
  target: UpstreamTarget,
  credential: Credential,
  signal: AbortSignal,
): Promise<unknown> {
  const dispatcher = new Agent({connect: target.tls});
  try {
    const {statusCode, body} = await request(`${target.origin}/openid/v1/jwks`, {
      dispatcher,
      signal,
      headers: {accept: 'application/jwk-set+json', authorization: credential.authorization},
    });
    if (statusCode !== 200) throw new Error(`the API server answered ${statusCode} to the request for its keys`);
    return await body.json();
  } finally {
    await dispatcher.destroy();
  }
}
