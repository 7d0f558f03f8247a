import {EventEmitter} from 'node:events';
import {Readable} from 'node:stream';
import type {AgentAccessPolicySpec} from '../../core/api/agentaccesspolicy.ts';
import type {Bundle} from '../../core/policy/bundle.ts';
import {compilePolicies} from '../../core/policy/compile.ts';
import {CallRecord} from '../../proxy/audit/recorder.ts';
import {Bundles} from '../../proxy/authorize/bundles.ts';
import {Call, type ServedRequest, type ServedResponse} from '../../proxy/path/call.ts';
import {MemoryLog} from './recording.ts';

export interface Requested {
  readonly method?: string;
  readonly url?: string;
  /** Lower-case names; `host` is there unless it is undefined. */
  readonly headers?: Readonly<Record<string, string | undefined>>;
  /** Sent with its length, unless the headers say how it is framed. */
  readonly body?: string | Buffer;
  readonly httpVersion?: string;
}

/** A call as the filters get it, without a network: nothing is answered, and what is recorded is in `log`. */
export function callOf({method = 'GET', url = '/', headers = {}, body, httpVersion = '1.1'}: Requested = {}): {
  call: Call;
  log: MemoryLog;
  /** The agent goes away. */
  leave(): void;
} {
  const length = body === undefined || 'transfer-encoding' in headers ? undefined : String(Buffer.byteLength(body));
  const framed = Object.fromEntries(
    Object.entries({host: 'proxy.example.com', 'content-length': length, ...headers}).filter(
      (header): header is [string, string] => header[1] !== undefined,
    ),
  );
  const request = Object.assign(Readable.from(body === undefined ? [] : [Buffer.from(body)], {objectMode: false}), {
    method,
    url,
    httpVersion,
    headers: framed,
    rawHeaders: Object.entries(framed).flat(),
    socket: {remoteAddress: '192.0.2.7'},
  });
  const response = Object.assign(new EventEmitter(), {destroyed: false, headersSent: false, statusCode: 200});
  const log = new MemoryLog();
  const record = new CallRecord(log.recorder(), {
    auditID: '0a1b2c3d-1111-4222-8333-444455556666',
    receivedAtMicroseconds: 1_760_000_000_000_000,
    request: {isResourceRequest: false, verb: method.toLowerCase(), requestURI: url, userAgent: '', sourceIP: ''},
  });
  return {
    call: new Call(request as unknown as ServedRequest, response as unknown as ServedResponse, record),
    log,
    leave() {
      response.destroyed = true;
      response.emit('close');
    },
  };
}

/** A policy of the namespace `payments` for the group `ai-agents`; in the root namespace where `root` says so. */
export interface TestPolicy extends Partial<AgentAccessPolicySpec> {
  readonly name?: string;
  readonly namespace?: string;
}

export const rootNamespace = 'lockkeeper-system';

export function bundleOf(policies: readonly TestPolicy[], revision = '1'): Bundle {
  return compilePolicies(
    policies.map(({name = 'agents', namespace = 'payments', ...spec}) => ({
      metadata: {name, namespace, uid: `uid-${name}`, generation: 1},
      spec: {subjects: [{kind: 'Group', name: 'ai-agents'}], rules: [], ...spec},
    })),
    {rootNamespace, revision},
  ).bundle;
}

/** The policies in force at a proxy that has just heard of them. */
export function bundlesOf(policies: readonly TestPolicy[]): Bundles {
  const bundles = new Bundles({maximumStalenessSeconds: 300, now: () => 0});
  put(bundles, policies);
  return bundles;
}

/** Puts other policies in force. */
export function put(bundles: Bundles, policies: readonly TestPolicy[]): void {
  bundles.heard();
  const {result, reason} = bundles.offer(bundleOf(policies), 'test');
  if (result !== 'Applied') throw new Error(reason);
}
