import {createHash} from 'node:crypto';
import type {MaskMediaType} from '../../core/mask/masker.ts';
import {podList} from './pods.ts';

/** What an agent may be answered, about 11 MB of it. */
export interface MaskDocument {
  readonly name: string;
  readonly mediaType: MaskMediaType;
  /** Whether the answer is about Secrets. */
  readonly secret?: true;
  readonly bytes: Buffer;
}

/** Repeatable bytes without a pattern. */
function noise(seed: number, bytes: number): Buffer {
  const blocks = Array.from({length: Math.ceil(bytes / 64)}, (_, index) =>
    createHash('sha512').update(`${seed} ${index}`).digest(),
  );
  return Buffer.concat(blocks, bytes);
}

function withCards(list: Buffer): Buffer {
  return Buffer.from(
    list.toString().replaceAll('"example.com/build":"build-', '"example.com/build":"4111 1111 1111 1111 build-'),
  );
}

function log(): Buffer {
  const line = (_: unknown, index: number): string =>
    `2026-07-30T12:00:${10 + (index % 50)}.${100_000_000 + index * 7}Z INFO path=/orders/${index} status=200 ` +
    `duration=${index % 977}ms trace=${noise(index, 16).toString('hex')}`;
  return Buffer.from(Array.from({length: 90_000}, line).join('\n'));
}

function secretList(): Buffer {
  const secret = (_: unknown, index: number): object => ({
    kind: 'Secret',
    data: {'tls.crt': noise(index, 200_000).toString('base64'), user: noise(-index, 30).toString('base64')},
  });
  return Buffer.from(JSON.stringify({kind: 'SecretList', items: Array.from({length: 41}, secret)}));
}

export function maskDocuments(): readonly MaskDocument[] {
  const pods = podList(5000);
  return [
    {name: 'PodList', mediaType: 'json', bytes: pods},
    {name: 'PodList, a card in each pod', mediaType: 'json', bytes: withCards(pods)},
    {name: 'log', mediaType: 'text', bytes: log()},
    {name: 'SecretList', mediaType: 'json', secret: true, bytes: secretList()},
  ];
}
