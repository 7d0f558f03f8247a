import {createHash} from 'node:crypto';
import type {Agent} from './agent.ts';
import type {Body} from './body.ts';
import type {Operation} from './operation.ts';
import {opensPodStream} from './podstream.ts';
import {parseQuery} from './query.ts';

/** The rule that asks for approval. */
export interface DigestRequirement {
  /** `namespace/name`. */
  readonly policy: string;
  readonly rule: string;
  /** The approvers are asked to show the answer unmasked. */
  readonly unmasked?: boolean;
}

/** What a digest says who it is about: the same token subject, whatever token. */
export type DigestAgent = Pick<Agent, 'username' | 'uid' | 'issuer'>;

export interface Call {
  readonly agent: DigestAgent;
  readonly requirement: DigestRequirement;
  readonly operation: Operation;
  /** The Content-Type header as received; "" where there is none. */
  readonly contentType: string;
  /** From {@link bodySHA256}. */
  readonly bodySHA256: string;
}

export interface ObjectCall extends Pick<Call, 'agent' | 'requirement' | 'operation'> {
  /** The operation's name, or what identifies the object where the path does not: the name in the body of a create. */
  readonly objectName: string;
}

/**
 * Binds a grant Once: the same agent, rule and call, to the byte of the target and the value of the body. What opens a
 * stream into a pod is the same call by GET and by POST, and in whichever order its parameters come: kubectl tries the
 * one and then the other. The order of a command's words counts.
 *
 * @returns lower-case hex sha256
 */
export function callDigest({agent, requirement, operation, contentType, bodySHA256}: Call): string {
  const {path, query} = splitTarget(operation.requestURI);
  const target = opensPodStream(operation)
    ? ['CONNECT', path, sortedParameters(query), bodySHA256 === '' ? '' : contentType]
    : [operation.method, path, query, contentType];
  return sha256(encode('lockkeeper.dev/call/v1', agent, requirement, [...target, bodySHA256, operation.command]));
}

/**
 * Binds a grant Window: the same agent and rule, and the same operation on the same object, whatever the body and the
 * rest of the query. What turns an operation into another one counts: a dry run into a real one, a command without
 * input into a shell, the path behind a proxy subresource, a path that is no resource.
 *
 * @returns lower-case hex sha256
 */
export function objectDigest({agent, requirement, operation, objectName}: ObjectCall): string {
  return sha256(
    encode('lockkeeper.dev/object/v1', agent, requirement, [
      opensPodStream(operation) ? 'create' : operation.verb,
      operation.apiGroup,
      operation.resource,
      operation.subresource,
      operation.namespace,
      objectName,
      operation.isResourceRequest ? operation.parts.slice(3) : operation.path,
      operation.command,
      operation.container,
      operation.stdin,
      operation.tty,
      operation.dryRun,
    ]),
  );
}

/** Lower-case hex sha256 of the canonical body, of protobuf that of its bytes; "" where there is none. */
export function bodySHA256(body: Body): string {
  switch (body.kind) {
    case 'Empty':
      return '';
    case 'JSON':
      return sha256(body.encoded ?? body.canonical);
    case 'Opaque':
      return sha256(body.canonical);
  }
}

/** A JSON array: no two lists of fields have the same text. */
function encode(
  version: string,
  agent: DigestAgent,
  requirement: DigestRequirement,
  fields: readonly unknown[],
): string {
  const {username, uid, issuer} = agent;
  const {policy, rule, unmasked = false} = requirement;
  return JSON.stringify([version, username, uid, issuer, policy, rule, ...fields, ...(unmasked ? ['unmasked'] : [])]);
}

function splitTarget(requestURI: string): {path: string; query: string} {
  const question = requestURI.indexOf('?');
  if (question === -1) return {path: requestURI, query: ''};
  return {path: requestURI.slice(0, question), query: requestURI.slice(question + 1)};
}

/** By name; those of one name keep their order. */
function sortedParameters(query: string): readonly (readonly [string, string])[] {
  return parseQuery(query)
    .map(({name, value}) => [name, value] as const)
    .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
}

function sha256(data: string | Uint8Array): string {
  return createHash('sha256').update(data).digest('hex');
}
