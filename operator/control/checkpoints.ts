import {createHash} from 'node:crypto';
import type {Logger} from 'winston';
import type {Checkpoint} from '../../core/control/messages.ts';
import type {KubeClient} from '../kube/client.ts';
import type {Clock} from '../kube/clock.ts';
import {KubeError} from '../kube/error.ts';
import type {EventRecorder} from '../kube/events.ts';
import type {Caller} from './caller.ts';
import {Refusal} from './refusal.ts';

export const checkpointsName = 'lockkeeper-audit-checkpoints';

/** A ServiceAccount whose pods come and go leaves chains behind; of each account the latest so many are kept. */
const maximumOriginsForCaller = 100;
/** Below the API server's bound of 1 MiB for a ConfigMap's data, with room for metadata. */
const maximumBytes = 900_000;
/** Waiting for one write. Past that the API server does not keep up and proxies are told so. */
const maximumWaiting = 4096;
const maximumAttempts = 10;
/** Between two writes of a replica: others get their turn, and what arrives meanwhile goes into one write. */
const gatherMilliseconds = 100;

export interface CheckpointRecorderOptions {
  readonly client: Pick<KubeClient, 'get' | 'create' | 'update'>;
  readonly rootNamespace: string;
  readonly events: EventRecorder;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface CheckpointRecorder {
  /** Resolves once the checkpoint is stored; rejects with a Refusal where it contradicts the one before. */
  record(caller: Caller, checkpoint: Checkpoint): Promise<void>;
}

/** What the ConfigMap holds of one chain. */
interface StoredCheckpoint extends Checkpoint {
  /** When the operator stored it, RFC 3339. */
  readonly time: string;
  /** The authenticated ServiceAccount of the proxy. */
  readonly proxy: string;
}

interface ConfigMap {
  readonly apiVersion: 'v1';
  readonly kind: 'ConfigMap';
  readonly metadata: {
    readonly name: string;
    readonly namespace: string;
    readonly uid?: string;
    readonly resourceVersion?: string;
    readonly labels?: Readonly<Record<string, string>>;
  };
  readonly data?: Readonly<Record<string, string>>;
}

interface Waiting {
  readonly caller: Caller;
  readonly checkpoint: Checkpoint;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

type Outcome = {readonly kind: 'Stored'} | {readonly kind: 'Refused'; readonly refusal: Refusal};

/**
 * Keeps the head of every proxy's audit chain where the proxy cannot reach it, so that a chain cut short or begun anew
 * is seen (a hash chain alone does not show a cut tail). Sequences only grow. What arrives during a write and shortly
 * after goes together into the next; each write is preconditioned on the resourceVersion that it read.
 */
export function createCheckpointRecorder(options: CheckpointRecorderOptions): CheckpointRecorder {
  let waiting: Waiting[] = [];
  let writing = false;

  async function writeAll(): Promise<void> {
    writing = true;
    while (waiting.length > 0) {
      const batch = waiting;
      waiting = [];
      try {
        const outcomes = await store(batch, options);
        for (const [index, {resolve, reject}] of batch.entries()) {
          const outcome = outcomes[index];
          if (outcome?.kind === 'Stored') {
            resolve();
          } else {
            reject(outcome?.refusal);
          }
        }
      } catch (error) {
        for (const {reject} of batch) {
          reject(error);
        }
      }
      await new Promise<void>((resolve) => {
        options.clock.after(gatherMilliseconds, resolve);
      });
    }
    // In the same turn as the look at `waiting`: what comes after must not rely on a writer that is leaving.
    writing = false;
  }

  return {
    record(caller, checkpoint) {
      if (waiting.length >= maximumWaiting) {
        const message = 'Too many checkpoints wait to be stored; try again.';
        return Promise.reject(new Refusal('Overloaded', 429, message, {retryAfterSeconds: 5}));
      }
      return new Promise((resolve, reject) => {
        waiting.push({caller, checkpoint, resolve, reject});
        if (!writing) {
          void writeAll();
        }
      });
    },
  };
}

async function store(batch: readonly Waiting[], options: CheckpointRecorderOptions): Promise<Outcome[]> {
  const {client, rootNamespace, clock} = options;
  const collection = `/api/v1/namespaces/${rootNamespace}/configmaps`;
  const path = `${collection}/${checkpointsName}`;
  for (let attempt = 0; attempt < maximumAttempts; attempt++) {
    const before = await read(client, path);
    const data = new Map(Object.entries(before?.data ?? {}));
    const time = new Date(clock.now()).toISOString();
    const outcomes = batch.map(({caller, checkpoint}) => enter(data, caller, checkpoint, time));
    const body: ConfigMap = {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: before?.metadata ?? {name: checkpointsName, namespace: rootNamespace},
      data: Object.fromEntries(data),
    };
    try {
      if (outcomes.some(({kind}) => kind === 'Stored')) {
        await (before ? client.update(path, body) : client.create(collection, body));
      }
      report(batch, outcomes, before, options);
      return outcomes;
    } catch (error) {
      // Another replica was quicker.
      if (!KubeError.hasCode(error, 409)) {
        throw error;
      }
    }
  }
  throw new Refusal('Conflict', 503, 'The checkpoints kept changing; try again.', {retryAfterSeconds: 1});
}

/** Undefined where there is none yet. */
async function read(client: CheckpointRecorderOptions['client'], path: string): Promise<ConfigMap | undefined> {
  try {
    return await client.get<ConfigMap>(path);
  } catch (error) {
    if (KubeError.hasCode(error, 404)) {
      return undefined;
    }
    throw error;
  }
}

/** Enters one checkpoint into the ConfigMap's data, or says why not. */
function enter(data: Map<string, string>, caller: Caller, checkpoint: Checkpoint, time: string): Outcome {
  const key = keyFor(caller, checkpoint.origin);
  const stored = data.get(key);
  const before = stored === undefined ? undefined : parseStored(stored);
  if (before && !follows(checkpoint, before)) {
    const message = `Audit chain ${checkpoint.origin} stood at sequence ${before.sequence} (${before.hash}) at ${before.time} and cannot be at ${checkpoint.sequence} (${checkpoint.hash}) now.`;
    return {kind: 'Refused', refusal: new Refusal('AuditChainRegressed', 409, message, {field: 'sequence'})};
  }
  const entry: StoredCheckpoint = {...checkpoint, time, proxy: caller.username};
  data.set(key, JSON.stringify(entry));
  forgetOldest(data, caller, key);
  if (sizeOf(data) > maximumBytes) {
    if (stored === undefined) {
      data.delete(key);
    } else {
      data.set(key, stored);
    }
    const message = `ConfigMap ${checkpointsName} is full; delete the entries of chains that are no more.`;
    return {kind: 'Refused', refusal: new Refusal('Overloaded', 503, message, {retryAfterSeconds: 60})};
  }
  return {kind: 'Stored'};
}

function follows(checkpoint: Checkpoint, before: StoredCheckpoint): boolean {
  return (
    checkpoint.sequence > before.sequence ||
    (checkpoint.sequence === before.sequence && checkpoint.hash === before.hash)
  );
}

/** Under the account's own prefix, so that no proxy can speak of the chain of another account's. */
function keyFor(caller: Caller, origin: string): string {
  return `${prefixFor(caller)}${sha256(origin).slice(0, 32)}`;
}

function prefixFor({namespace, name}: Caller): string {
  // The names are cut and may hold dots; the hash tells them apart.
  return `${namespace}.${name.slice(0, 100)}.${sha256(`${namespace}/${name}`).slice(0, 16)}.`;
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

function forgetOldest(data: Map<string, string>, caller: Caller, except: string): void {
  const prefix = prefixFor(caller);
  const others = [...data.keys()].filter((key) => key.startsWith(prefix) && key !== except);
  if (others.length < maximumOriginsForCaller) {
    return;
  }
  const [oldest] = others
    .map((key) => ({key, time: parseStored(data.get(key) ?? '')?.time ?? ''}))
    .sort((left, right) => (left.time < right.time ? -1 : 1));
  if (oldest) {
    data.delete(oldest.key);
  }
}

function sizeOf(data: ReadonlyMap<string, string>): number {
  let bytes = 0;
  for (const [key, value] of data) {
    bytes += key.length + Buffer.byteLength(value);
  }
  return bytes;
}

/** Undefined for what the operator did not write; it is overwritten. */
function parseStored(text: string): StoredCheckpoint | undefined {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null) {
      return undefined;
    }
    const {origin, sequence, hash, time, proxy} = value as Record<string, unknown>;
    return typeof origin === 'string' &&
      typeof sequence === 'number' &&
      typeof hash === 'string' &&
      typeof time === 'string' &&
      typeof proxy === 'string'
      ? {origin, sequence, hash, time, proxy}
      : undefined;
  } catch {
    return undefined;
  }
}

function report(
  batch: readonly Waiting[],
  outcomes: readonly Outcome[],
  configMap: ConfigMap | undefined,
  {events, log, rootNamespace}: CheckpointRecorderOptions,
): void {
  for (const [index, outcome] of outcomes.entries()) {
    if (outcome.kind !== 'Refused' || outcome.refusal.code !== 'AuditChainRegressed') {
      continue;
    }
    const {message} = outcome.refusal;
    log.error('AuditChainRegressed', {proxy: batch[index]?.caller.username, reason: message});
    events.record(
      {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        namespace: rootNamespace,
        name: checkpointsName,
        uid: configMap?.metadata.uid ?? '',
      },
      {type: 'Warning', reason: 'AuditChainRegressed', action: 'RecordCheckpoint', note: message},
    );
  }
}
