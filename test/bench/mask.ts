/**
 * `make bench-mask`: what masking costs, beside a copy of the same bytes, beside what else Node has to mask with, and
 * beside carrying the bytes without masking them. Every way has its turn in each round. Prints Markdown.
 */
import {type ChildProcess, spawn} from 'node:child_process';
import {once} from 'node:events';
import {mkdtemp, rm, writeFile} from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import {parseArgs} from 'node:util';
import {defaultPlan} from '../../cli/mask/plan.ts';
import {createMasker} from '../../core/mask/createmasker.ts';
import {loopbackCertificate} from '../proxy/upstream.ts';
import {cpuSeconds} from './cpu.ts';
import {imageNodeFlags} from './image.ts';
import {load} from './load.ts';
import {type MaskDocument, maskDocuments} from './maskdocuments.ts';
import {npmRedactors} from './redactors.ts';

const {values} = parseArgs({options: {rounds: {type: 'string', default: '10'}}});
const rounds = Number(values.rounds);
/** As the gateway reads them from the API server. */
const chunkBytes = 64 * 1024;
const requestsEach = 20;
const say = (line = '') => process.stdout.write(`${line}\n`);

say(
  `Node ${process.version}, ${os.cpus()[0]?.model ?? 'unknown CPU'}, ${os.cpus().length} cores, Linux ${os.release()}.`,
);
say('\nMB for each second of CPU; in brackets how many card numbers each hid:\n');
const ways = ['copy', 'lockkeeper', ...npmRedactors.map(({name}) => name)];
say(`| bytes | MB | ${ways.join(' | ')} |`);
say(`| --- | ---: | ${ways.map(() => '---:').join(' | ')} |`);
for (const document of maskDocuments()) say(row(document));
await relays();

function row(document: MaskDocument): string {
  const megabytes = document.bytes.length / 1e6;
  const runs: (() => Measured)[] = [
    () => measure(copy(document)),
    () => measure(mask(document)),
    ...npmRedactors.map(
      ({redact}) =>
        () =>
          measure({prepare: () => document, run: redact}),
    ),
  ];
  const seconds = runs.map((): number[] => []);
  const found = runs.map(() => 0);
  // The first round compiles.
  for (let round = 0; round <= rounds; round++) {
    for (const [way, run] of runs.entries()) {
      const measured = run();
      found[way] = measured.found;
      if (round > 0) seconds[way]?.push(measured.seconds);
    }
  }
  const cells = seconds.map((taken, way) => {
    const speed = Math.round(megabytes / median(taken));
    return way === 0 ? String(speed) : `${speed} (${found[way]})`;
  });
  return `| ${document.name} | ${megabytes.toFixed(1)} | ${cells.join(' | ')} |`;
}

interface Work<T> {
  /** Not measured. */
  prepare(): T;
  /** Gives how many numbers were hidden. */
  run(prepared: T): number;
}

interface Measured {
  readonly seconds: number;
  readonly found: number;
}

function measure<T>({prepare, run}: Work<T>): Measured {
  const prepared = prepare();
  const before = process.cpuUsage();
  const found = run(prepared);
  const {user, system} = process.cpuUsage(before);
  return {seconds: (user + system) / 1e6, found};
}

function chunksOf({bytes}: MaskDocument): Buffer[] {
  const count = Math.ceil(bytes.length / chunkBytes);
  return Array.from({length: count}, (_, index) =>
    Buffer.from(bytes.subarray(index * chunkBytes, (index + 1) * chunkBytes)),
  );
}

function copy(document: MaskDocument): Work<Buffer[]> {
  const target = Buffer.alloc(chunkBytes);
  return {
    prepare: () => chunksOf(document),
    run(chunks) {
      for (const chunk of chunks) chunk.copy(target);
      return 0;
    },
  };
}

function mask(document: MaskDocument): Work<Buffer[]> {
  const {mediaType, secret = false} = document;
  const plan = defaultPlan();
  return {
    prepare: () => chunksOf(document),
    run(chunks) {
      const masker = createMasker({mediaType, plan, base64: secret});
      const drop = (): void => {};
      for (const chunk of chunks) masker.push(chunk, drop);
      masker.end(drop);
      return masker.counts.PAN;
    },
  };
}

/** The PodList over TLS on both sides, by the gateway's own relay. */
async function relays(): Promise<void> {
  const directory = await mkdtemp(path.join(os.tmpdir(), 'lockkeeper-bench-'));
  const children: ChildProcess[] = [];
  try {
    const {ca, cert, key} = await loopbackCertificate();
    const files = {
      ca: path.join(directory, 'ca.crt'),
      cert: path.join(directory, 'tls.crt'),
      key: path.join(directory, 'tls.key'),
    };
    await writeFile(files.ca, ca);
    await writeFile(files.cert, cert);
    await writeFile(files.key, key);
    const start = async (script: string, ...args: string[]): Promise<{origin: string; pid: number}> => {
      const child = spawn(
        process.execPath,
        // As in the image.
        [...imageNodeFlags, path.join(import.meta.dirname, script), files.cert, files.key, ...args],
        {stdio: ['ignore', 'pipe', 'inherit', 'ipc']},
      );
      children.push(child);
      const [port] = (await once(child.stdout as NodeJS.ReadableStream, 'data')) as [Buffer];
      return {origin: `https://127.0.0.1:${String(port).trim()}`, pid: child.pid ?? 0};
    };
    const upstream = await start('upstream.ts');
    const relay = await start('maskrelay.ts', files.ca, upstream.origin);
    const taken = new Map<string, number[]>([
      ['/pods', []],
      ['/masked/pods', []],
    ]);
    for (let round = 0; round <= rounds; round++) {
      for (const [url, milliseconds] of taken) {
        const before = cpuSeconds(relay.pid);
        await load({origin: relay.origin, ca}, url, {connections: 1, seconds: 120, requests: requestsEach});
        if (round > 0) milliseconds.push(((cpuSeconds(relay.pid) - before) * 1000) / requestsEach);
      }
    }
    const [plain = [], masked = []] = [...taken.values()];
    say('\nCPU of a relay for the PodList, TLS on both sides, in ms:\n');
    say('| | median (min–max) | unmasked = 1 |');
    say('| --- | ---: | ---: |');
    say(`| unmasked | ${spread(plain)} | 1.00 |`);
    const ratios = masked.map((value, round) => value / (plain[round] ?? Number.NaN));
    say(`| masked | ${spread(masked)} | ${median(ratios).toFixed(2)} |`);
  } finally {
    for (const child of children) child.kill();
    await rm(directory, {recursive: true, force: true});
  }
}

function spread(values: readonly number[]): string {
  return `${median(values).toFixed(1)} (${Math.min(...values).toFixed(1)}–${Math.max(...values).toFixed(1)})`;
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}
