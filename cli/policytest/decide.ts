import type {Decision} from '../../core/policy/decision.ts';
import {select} from '../../core/policy/evaluate.ts';
import type {LoadedBundle} from '../../core/policy/loadedbundle.ts';
import {decide} from '../../core/policy/permitted.ts';
import type {Agent} from '../../core/request/agent.ts';
import {type Body, BodyError, readBody} from '../../core/request/body.ts';
import {type Operation, operationOf} from '../../core/request/operation.ts';
import {ambiguity, deleteOptionsRefusal} from '../../core/request/refuse.ts';
import {resolveRequestInfo} from '../../core/request/resolve.ts';
import type {SuiteCase} from './suite.ts';

/** What becomes of a call. */
export type Verdict =
  | {readonly outcome: 'Refused'; readonly message: string}
  | {
      readonly outcome: Decision['outcome'];
      readonly decision: Decision;
      readonly operation: Operation;
    };

/** A moment for `now`, so that a test that names none does not depend on when it runs. */
const defaultTime = '2026-01-01T12:00:00Z';

/** Puts the call through what the proxy puts it through: read in one way only, then decided. */
export function verdictOn(bundle: LoadedBundle, {test, requestBody = ''}: SuiteCase): Verdict {
  const {method, url, headers = {}, sourceIP = '127.0.0.1', at = defaultTime} = test.request;
  const header = (wanted: string): string =>
    Object.entries(headers).find(([name]) => name.toLowerCase() === wanted)?.[1] ?? '';
  try {
    const body = readBody(Buffer.from(requestBody), header('content-type'));
    const refusal =
      ambiguity({method, url, rawHeaders: Object.entries(headers).flat(), httpVersion: '1.1'}) ??
      deleteOptionsRefusal(method, url, body);
    if (refusal !== undefined) return {outcome: 'Refused', message: refusal.reason};
    const source = {method, url, userAgent: header('user-agent'), sourceIP};
    const operation = operationOf(resolveRequestInfo(method, url), source);
    const content = contentOf(body);
    const selection = select(bundle, agentOf(test.agent), operation);
    const decision = decide(selection, {object: content, patch: content, now: new Date(at)});
    return {outcome: decision.outcome, decision, operation};
  } catch (error) {
    if (error instanceof BodyError) return {outcome: 'Refused', message: error.message};
    throw error;
  }
}

/** What conditions see: null where there is no body, what of it can be read where there is, so that they fail closed. */
function contentOf(body: Body): unknown {
  switch (body.kind) {
    case 'Empty':
      return null;
    case 'JSON':
      return body.value;
    case 'Opaque':
      return body.readable;
  }
}

const serviceAccount = /^system:serviceaccount:([^:]+):([^:]+)$/;

function agentOf({username, groups, uid, extra, issuer, claims}: SuiteCase['test']['agent']): Agent {
  const [, namespace, name] = serviceAccount.exec(username) ?? [];
  const isServiceAccount = namespace !== undefined && name !== undefined;
  const ownGroups = isServiceAccount ? ['system:serviceaccounts', `system:serviceaccounts:${namespace}`] : [];
  return {
    username,
    uid: uid ?? '',
    groups: groups ?? ownGroups,
    extra: extra ?? {},
    issuer: issuer ?? 'https://issuer.example.com',
    claims: claims ?? {},
    serviceAccount: isServiceAccount ? {namespace, name} : undefined,
    expiresAtMilliseconds: Number.POSITIVE_INFINITY,
  };
}
