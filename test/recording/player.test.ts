import {mkdtemp, readdir, readFile, rm} from 'node:fs/promises';
import {createRequire} from 'node:module';
import {tmpdir} from 'node:os';
import path from 'node:path';
import {expect, test} from '@jest/globals';
import type {Agent} from '../../core/request/agent.ts';
import type {Operation} from '../../core/request/operation.ts';
import {openCommandRecording} from '../../proxy/record/command.ts';
import {cardsPlan} from '../maskplan.ts';

/** The part of asciinema's player that reads a recording and plays it, without a page to draw it on. */
interface PlayerCore {
  addEventListener(name: string, listener: (event: never) => void): void;
  terminalReady(): void;
  init(): Promise<void>;
  play(): Promise<void>;
}

/** The package exports the whole player only, and that needs a browser: this is the file that its worker imports. */
async function playerCore(): Promise<new (source: object, options: object) => PlayerCore> {
  const dist = path.dirname(createRequire(import.meta.url).resolve('asciinema-player'));
  const file = (await readdir(dist)).find((name) => /^core-.*\.js$/.test(name)) ?? '';
  return (await import(path.join(dist, file))).C;
}

/** Everything that a viewer would be shown, in order. */
async function played(cast: string): Promise<[string, unknown][]> {
  const Core = await playerCore();
  const seen: [string, unknown][] = [];
  const problem = (...words: unknown[]) => seen.push(['problem', words.map(String).join(' ')]);
  const quiet = () => {};
  const logger = {debug: quiet, info: quiet, log: quiet, warn: problem, error: problem};
  const core = new Core({data: cast}, {speed: 1000, logger});
  for (const name of ['metadata', 'output', 'input', 'resize', 'marker', 'error']) {
    core.addEventListener(name, (event) => seen.push([name, event]));
  }
  const ended = new Promise<void>((resolve) => core.addEventListener('ended', () => resolve()));
  core.terminalReady();
  await core.init();
  await core.play();
  await ended;
  return seen;
}

test('asciinema plays what was recorded: output, input, sizes and how it ended', async () => {
  const directory = await mkdtemp(path.join(tmpdir(), 'lockkeeper-player-'));
  try {
    let micros = 1_760_000_000_000_000;
    const {session, name, finish} = await openCommandRecording({
      directory,
      auditID: '0a1b2c3d-1111-4222-8333-444455556666',
      agent: {username: 'agent:build-bot'} as Agent,
      operation: {
        namespace: 'payments',
        name: 'api-0',
        subresource: 'exec',
        container: 'app',
        command: ['sh'],
        tty: true,
      } as unknown as Operation,
      obligations: {masking: cardsPlan, recordMasking: cardsPlan, recordInput: true},
      now: () => micros,
      onFailure: (error) => {
        throw error;
      },
    });
    const later = (seconds: number) => {
      micros += seconds * 1e6;
    };
    const sink = {emit: () => {}, ended: () => {}};
    const [stdout, error] = [session.output('stdout', sink), session.output('error', sink)];
    later(0.1);
    session.resize(Buffer.from('{"Width":120,"Height":40}'));
    stdout.push(Buffer.from('$ '));
    later(1);
    session.stdin(Buffer.from('cat card\n'));
    later(0.001);
    stdout.push(Buffer.from('cat card\r\n\u001b[1m4111 1111 1111 1111\u001b[0m ü ✓ 🚆\u0000\u0007 "quoted" \\\r\n'));
    later(60);
    stdout.end();
    error.push(Buffer.from('{"metadata":{},"status":"Success"}'));
    error.end();
    await finish();
    const seen = await played(await readFile(path.join(directory, name), 'utf8'));
    expect(seen.filter(([what]) => what !== 'metadata')).toEqual([
      ['resize', {cols: 120, rows: 40}],
      ['output', ['$ ']],
      ['input', {data: 'cat card\n'}],
      ['output', ['cat card\r\n\u001b[1m**** **** **** 1111\u001b[0m ü ✓ 🚆\u0000\u0007 "quoted" \\\r\n']],
      ['marker', {index: 0, time: 61.101, label: '{"metadata":{},"status":"Success"}'}],
    ]);
    expect(seen).toContainEqual(['metadata', expect.objectContaining({duration: 61.101})]);
  } finally {
    await rm(directory, {recursive: true});
  }
}, 60_000);
