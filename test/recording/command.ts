import {readFile} from 'node:fs/promises';
import {join} from 'node:path';
import type {MaskPlan} from '../../core/mask/plan.ts';
import type {Agent} from '../../core/request/agent.ts';
import {operationOf} from '../../core/request/operation.ts';
import {resolveRequestInfo} from '../../core/request/resolve.ts';
import {openCommandRecording} from '../../proxy/record/command.ts';
import type {RecordingFailed} from '../../proxy/record/errors.ts';
import type {OutputChannel} from '../../proxy/stream/session.ts';
import {cardsPlan} from '../maskplan.ts';

export const auditID = '0a1b2c3d-1111-4222-8333-444455556666';
const agent: Agent = {
  username: 'agent:build-bot',
  uid: '',
  groups: [],
  extra: {},
  issuer: 'https://issuer.example.com',
  claims: {},
  serviceAccount: undefined,
  expiresAtMilliseconds: 0,
};
const url =
  '/api/v1/namespaces/payments/pods/api-0/exec?container=app&command=sh&command=-c&command=ls&tty=true&stdin=true';
export const pan = '4111111111111111';
/** As the agent and the record have it. */
export const hidden = '************1111';
const startedAt = Date.UTC(2026, 0, 2, 3, 4, 5) * 1000;

export interface Asked {
  readonly masks?: boolean;
  readonly recordMasking?: MaskPlan;
  readonly recordInput?: boolean;
  readonly url?: string;
  readonly auditID?: string;
}

/** A recording with a clock of its own, what it shows the agent, and what it leaves. */
export async function recordCommand(
  directory: string,
  {masks = true, recordMasking = cardsPlan, recordInput = false, ...asked}: Asked = {},
) {
  const failures: RecordingFailed[] = [];
  let micros = startedAt;
  const target = asked.url ?? url;
  const recording = await openCommandRecording({
    directory,
    auditID: asked.auditID ?? auditID,
    agent,
    operation: operationOf(resolveRequestInfo('GET', target), {
      method: 'GET',
      url: target,
      userAgent: '',
      sourceIP: '',
    }),
    obligations: {masking: masks ? cardsPlan : undefined, recordMasking, recordInput},
    now: () => micros,
    onFailure: (error) => failures.push(error),
  });
  const path = join(directory, recording.name);
  const lines = async () => {
    const text = await readFile(path, 'utf8');
    return text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line));
  };
  return {
    ...recording,
    failures,
    path,
    wait: (seconds: number) => {
      micros += seconds * 1e6;
    },
    /** An output, and all that the agent was shown of it. */
    open(channel: OutputChannel) {
      const shown = {text: '', pieces: [] as string[], ended: false};
      const output = recording.session.output(channel, {
        emit: (bytes) => {
          const piece = bytes.toString('latin1');
          shown.text += piece;
          shown.pieces.push(piece);
        },
        ended: () => {
          shown.ended = true;
        },
      });
      return {...output, say: (text: string | Buffer) => output.push(Buffer.from(text)), shown};
    },
    header: async () => (await lines())[0],
    events: async () => (await lines()).slice(1),
  };
}
