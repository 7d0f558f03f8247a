import {parseDocument} from 'yaml';
import {isChainOrigin} from '../../core/audit/chain.ts';
import type {Checkpoint} from '../../core/control/messages.ts';

/** A checkpoints file that cannot be read; the message names the entry. */
export class CheckpointsError extends Error {
  override readonly name = 'CheckpointsError';
  readonly code = 'CheckpointsInvalid';
}

/**
 * Reads checkpoints: JSON, one checkpoint a line, or the operator's ConfigMap as kubectl prints it in YAML or JSON,
 * each value of whose `data` is one checkpoint in JSON.
 *
 * @throws {CheckpointsError} for anything that is not wholly that: a checkpoint skipped is a cut tail unseen.
 */
export function parseCheckpoints(text: string): readonly Checkpoint[] {
  const lines = text.split('\n').map((line, i) => ({line: line.trim(), place: `line ${i + 1}`}));
  const filled = lines.filter(({line}) => line !== '');
  if (filled.length === 0) throw new CheckpointsError('the file is empty: it must hold checkpoints');
  const first = parseJSON(filled[0]?.line ?? '');
  if (isObject(first) && 'origin' in first) {
    return filled.map(({line, place}) => parseCheckpoint(parseJSON(line), place));
  }
  return fromConfigMap(parseYAML(text));
}

function fromConfigMap(value: unknown): readonly Checkpoint[] {
  if (!isObject(value) || value.kind !== 'ConfigMap') {
    throw new CheckpointsError(
      'the file must hold checkpoints in JSON, one a line, or a ConfigMap as "kubectl get configmap -o yaml" prints it',
    );
  }
  const {data} = value;
  if (!isObject(data) || Object.keys(data).length === 0) {
    throw new CheckpointsError('data: must hold one checkpoint for each chain, and holds none');
  }
  return Object.entries(data).map(([key, entry]) =>
    parseCheckpoint(typeof entry === 'string' ? parseJSON(entry) : undefined, `data[${JSON.stringify(key)}]`),
  );
}

function parseCheckpoint(value: unknown, place: string): Checkpoint {
  if (!isObject(value)) throw new CheckpointsError(`${place}: must be a checkpoint in JSON`);
  const {origin, sequence, hash} = value;
  if (typeof origin !== 'string' || !isChainOrigin(origin)) {
    throw new CheckpointsError(`${place}: origin: must be the name of a chain`);
  }
  if (typeof sequence !== 'number' || !Number.isSafeInteger(sequence) || sequence < 0) {
    throw new CheckpointsError(`${place}: sequence: must be a whole number from 0`);
  }
  if (typeof hash !== 'string' || !/^[0-9a-f]{64}$/.test(hash)) {
    throw new CheckpointsError(`${place}: hash: must be a SHA-256 in 64 lower-case hex digits`);
  }
  return {origin, sequence, hash};
}

function parseJSON(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function parseYAML(text: string): unknown {
  const document = parseDocument(text);
  const [error] = document.errors;
  if (error !== undefined) throw new CheckpointsError(`the file is neither JSON nor YAML: ${error.message}`);
  try {
    return document.toJS();
  } catch (cause) {
    throw new CheckpointsError('the file is not YAML that can be read', {cause});
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
