// What masking costs, beside a copy of the same bytes: `node test/bench/mask.ts`.
import {createHash} from 'node:crypto';
import {createMasker, type MaskerOptions} from '../../core/mask/createmasker.ts';
import {pod} from './pods.ts';

const ROUNDS = 20;

/** Repeatable bytes without a pattern. */
function noise(seed: number, bytes: number): Buffer {
  const blocks = Array.from({length: Math.ceil(bytes / 64)}, (_, index) =>
    createHash('sha512').update(`${seed} ${index}`).digest(),
  );
  return Buffer.concat(blocks, bytes);
}

function podList(): string {
  return JSON.stringify({kind: 'PodList', items: Array.from({length: 5000}, (_, index) => pod(index, 'payments'))});
}

function podListWithCards(): string {
  return podList().replaceAll('"example.com/build":"build-', '"example.com/build":"4111 1111 1111 1111 build-');
}

function log(): string {
  const line = (_: unknown, index: number): string =>
    `2026-07-30T12:00:${10 + (index % 50)}.${100_000_000 + index * 7}Z INFO path=/orders/${index} status=200 ` +
    `duration=${index % 977}ms trace=${noise(index, 16).toString('hex')}`;
  return Array.from({length: 100_000}, line).join('\n');
}

function secretList(): string {
  const secret = (_: unknown, index: number): object => ({
    kind: 'Secret',
    data: {'tls.crt': noise(index, 200_000).toString('base64'), user: noise(-index, 30).toString('base64')},
  });
  return JSON.stringify({kind: 'SecretList', items: Array.from({length: 40}, secret)});
}

function chunksOf(document: Buffer, bytes: number): Buffer[] {
  const count = Math.ceil(document.length / bytes);
  return Array.from({length: count}, (_, index) => Buffer.from(document.subarray(index * bytes, (index + 1) * bytes)));
}

/** CPU milliseconds of the best of the rounds. */
function measure(prepare: () => Buffer[], run: (chunks: Buffer[]) => void): number {
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < ROUNDS; round++) {
    const chunks = prepare();
    const before = process.cpuUsage();
    run(chunks);
    const {user, system} = process.cpuUsage(before);
    best = Math.min(best, (user + system) / 1000);
  }
  return best;
}

const documents: readonly (readonly [string, MaskerOptions, () => string])[] = [
  ['PodList', {mediaType: 'json'}, podList],
  ['PodList, a card in each pod', {mediaType: 'json'}, podListWithCards],
  ['log', {mediaType: 'text'}, log],
  ['SecretList', {mediaType: 'json', base64: true}, secretList],
];

for (const [name, options, make] of documents) {
  const document = Buffer.from(make());
  for (const bytes of [16 * 1024, 64 * 1024]) {
    const prepare = (): Buffer[] => chunksOf(document, bytes);
    let found = 0;
    const maskMilliseconds = measure(prepare, (chunks) => {
      const masker = createMasker(options);
      for (const chunk of chunks) masker.push(chunk, () => {});
      masker.end(() => {});
      found = masker.counts.PAN;
    });
    const target = Buffer.alloc(bytes);
    const copyMilliseconds = measure(prepare, (chunks) => {
      for (const chunk of chunks) chunk.copy(target);
    });
    const megabytes = document.length / 1e6;
    console.log(
      [
        name,
        `${megabytes.toFixed(1)} MB in chunks of ${bytes / 1024} KiB`,
        `${maskMilliseconds.toFixed(1)} ms`,
        `${Math.round((megabytes / maskMilliseconds) * 1000)} MB/s`,
        `copy ${copyMilliseconds.toFixed(1)} ms`,
        `${found} found`,
      ].join(' · '),
    );
  }
}
