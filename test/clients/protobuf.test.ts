import {spawn} from 'node:child_process';
import {randomInt} from 'node:crypto';
import {readdir, readFile} from 'node:fs/promises';
import path from 'node:path';
import {text} from 'node:stream/consumers';
import {beforeAll, expect, jest, test} from '@jest/globals';
import {readBody} from '../../core/request/body.ts';
import {kinds, messages} from '../../core/request/schema/table.ts';
import {describeUnless} from '../cluster/node/describe.ts';
import {cachedFrom, run} from './cache.ts';
import {withoutGo} from './clientgo.ts';

jest.setTimeout(120_000);

const sources = path.resolve(import.meta.dirname, '../../core/request/schema');

const rounds = 3;

describeUnless(await withoutGo(), 'protobuf, as Go itself has it', () => {
  let program: string;

  beforeAll(async () => {
    const files = (await readdir(sources)).filter((file) => /^go\.|\.go$/.test(file)).sort();
    const from = files.map((file) => path.join(sources, file));
    const directory = await cachedFrom('schema', from, await run('go', ['version'], '/'), async (into) => {
      await run('go', ['build', '-o', path.join(into, 'schema'), '.'], sources, {CGO_ENABLED: '0', GOWORK: 'off'});
    });
    program = path.join(directory, 'schema');
  }, 20 * 60_000);

  async function go(args: readonly string[], input: string | Buffer = ''): Promise<string> {
    const child = spawn(program, args, {stdio: ['pipe', 'pipe', 'inherit']});
    child.stdin.end(input);
    const [output, code] = await Promise.all([
      text(child.stdout),
      new Promise((resolve) => child.once('close', resolve)),
    ]);
    expect(code).toBe(0);
    return output;
  }

  test('the table and the bodies of its test are those of the sources: `make protobuf`', async () => {
    const table = await go(['table']);
    const rows = Object.fromEntries([...table.matchAll(/'([^']*)': '([^']*)'/g)].map(([, name, row]) => [name, row]));
    expect(rows).toEqual({...kinds, ...messages});
    const bodies = await go(['bodies'], await readFile(path.join(sources, 'objects.yaml')));
    expect(bodies).toBe(await readFile(path.join(sources, 'testdata/bodies.jsonl'), 'utf8'));
  });

  test('an object of any kind, filled at random, is read as Go reads it', async () => {
    for (let i = 0; i < rounds; i++) {
      const seed = randomInt(2 ** 31);
      const lines = (await go(['filled', String(seed)])).trim().split('\n').map(readLine);
      expect(lines.length).toBeGreaterThan(200);
      const unlike = lines.filter(({bytes, json}) => canonicalOf(bytes) !== jsonOf(json));
      expect({seed, unlike: unlike.map(({json}) => json)}).toEqual({seed, unlike: []});
    }
  });

  test('changed bytes are read as Go reads them, or not at all', async () => {
    const bodies = (await go(['filled', String(randomInt(2 ** 31))])).trim().split('\n').map(readLine);
    const changed = Array.from({length: 10_000}, () =>
      change(bodies[randomInt(bodies.length)]?.bytes ?? Buffer.alloc(1)),
    );
    const input = changed.map((bytes) => bytes.toString('base64')).join('\n');
    const decoded = (await go(['decode'], `${input}\n`)).trim().split('\n');
    const read = changed.flatMap((bytes, i) => {
      const json = decoded[i] ?? '';
      const canonical = canonicalOf(bytes);
      // What Go does not read, no API server takes.
      return canonical === undefined || json === 'null' ? [] : [{bytes, canonical, json: jsonOf(json)}];
    });
    expect(read.length).toBeGreaterThan(100);
    const unlike = read.filter(({canonical, json}) => withoutQuantities(canonical) !== withoutQuantities(json));
    expect(unlike.map(({bytes}) => bytes.toString('base64'))).toEqual([]);
  });
});

function readLine(line: string): {readonly bytes: Buffer; readonly json: string} {
  const [, json = '', base64 = ''] = /^\{"object":(.*),"protobuf":"([^"]*)"\}$/.exec(line) ?? [];
  return {bytes: Buffer.from(base64, 'base64'), json};
}

function canonicalOf(bytes: Buffer): string | undefined {
  const body = readBody(bytes, 'application/vnd.kubernetes.protobuf');
  return body.kind === 'JSON' ? body.canonical : undefined;
}

/** As a body of JSON would be read, so that no integer is rounded. */
function jsonOf(text: string): string | undefined {
  const body = readBody(Buffer.from(text), 'application/json');
  return body.kind === 'JSON' ? body.canonical : undefined;
}

/** Go writes a quantity anew, whose text we leave as it came. */
function withoutQuantities(json: string | undefined): string | undefined {
  return json?.replace(/"[+-]?[0-9.]+[eEinumkKMGTP]*[-+]?[0-9]*"/g, '"quantity"');
}

function change(bytes: Buffer): Buffer {
  const at = randomInt(bytes.length);
  const byte = Buffer.from([randomInt(256)]);
  switch (randomInt(3)) {
    case 0:
      return Buffer.concat([bytes.subarray(0, at), byte, bytes.subarray(at)]);
    case 1:
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1)]);
    default:
      return Buffer.concat([bytes.subarray(0, at), byte, bytes.subarray(at + 1)]);
  }
}
