import {Readable, Writable} from 'node:stream';
import {describe, expect, test} from '@jest/globals';
import {maskCommand} from './command.ts';

const policy = (masking: string, more = ''): string => `apiVersion: lockkeeper.dev/v1alpha1
kind: AgentAccessPolicy
metadata: {name: a, namespace: payments}
spec:
  subjects: [{kind: User, name: "*"}]
  masking: ${masking}
${more}`;

interface Run {
  readonly files?: Readonly<Record<string, string>>;
  /** Bytes of a chunk of the input. */
  readonly chunkBytes?: number;
  readonly target?: Writable;
}

async function mask(text: string, args: readonly string[] = [], {files = {}, chunkBytes = 7, target}: Run = {}) {
  const result = {out: '', code: 0};
  const bytes = Buffer.from(text);
  const chunks = Array.from({length: Math.ceil(bytes.length / chunkBytes)}, (_, index) =>
    Buffer.from(bytes.subarray(index * chunkBytes, (index + 1) * chunkBytes)),
  );
  const collected = new Writable({
    write(chunk: Buffer, _, done) {
      result.out += chunk.toString('latin1');
      done();
    },
  });
  const command = maskCommand(() => ({
    source: Readable.from(chunks),
    target: target ?? collected,
    async readText(path) {
      const found = files[path];
      if (found === undefined) throw new Error(`ENOENT: no such file or directory, open '${path}'`);
      return found;
    },
    exitCode: (code) => {
      result.code = code;
    },
  }));
  command.exitOverride().configureOutput({writeErr: () => {}});
  await command.parseAsync(args, {from: 'user'});
  return result;
}

describe('lockkeeper mask', () => {
  test.each([
    ['text, of a card number', [], 'paid with 4111 1111 1111 1111\n', 'paid with **** **** **** 1111\n'],
    ['text, of a stripe and a code', [], ';4111111111111111=29121011234567890? cvv=123', `;${'*'.repeat(35)} cvv=***`],
    ['text, of JSON too', [], '{"pan":"4111111111111111"}', '{"pan":"************1111"}'],
    ['text, not of base64', [], 'NDExMTExMTExMTExMTExMQ==', 'NDExMTExMTExMTExMTExMQ=='],
    ['JSON, of a number', ['--media-type', 'json'], '{"pan":4111111111111111}', '{"pan":"**********1111"}'],
    [
      'JSON, of a Secret',
      ['--media-type', 'json'],
      '{"data":{"card":"NDExMTExMTExMTExMTExMQ=="}}',
      '{"data":{"card":"KioqKioqKioqKioqMTExMQ=="}}',
    ],
    [
      'bytes that are no text',
      [],
      Buffer.from([0xff, 0xfe, 0x80]).toString('latin1'),
      '\u00c3\u00bf\u00c3\u00be\u00c2\u0080',
    ],
    ['nothing', [], '', ''],
  ])('masks %s', async (_, args, input, expected) => {
    expect(await mask(input, args)).toEqual({out: expected, code: 0});
  });

  test('uses the masking of all policies of a file', async () => {
    const files = {
      'policies.yaml': `${policy('[]')}---\nkind: Namespace\n---\n${policy('[{name: cards, detector: PAN}]')}`,
    };
    expect(await mask('4111111111111111', ['--policy', 'policies.yaml'], {files})).toMatchObject({
      out: '************1111',
    });
  });

  test('exempts nothing that it cannot know of the bytes', async () => {
    const files = {
      'policy.yaml': policy('[{name: cards, detector: PAN, exemptions: [{namespaces: [payments]}]}]'),
    };
    expect(await mask('4111111111111111', ['--policy', 'policy.yaml'], {files})).toMatchObject({
      out: '************1111',
    });
  });

  test.each([
    ['that is not there', {}, "ENOENT: no such file or directory, open 'p.yaml'"],
    ['that is none', {'p.yaml': 'kind: Pod\n'}, 'p.yaml: holds no AgentAccessPolicy'],
    ['that is no YAML', {'p.yaml': 'a: [\n'}, 'p.yaml:2: '],
    ['without masking', {'p.yaml': policy('[]')}, 'p.yaml: has no masking: nothing would be masked'],
    [
      'with a detector that is none',
      {'p.yaml': policy('[{name: a, detector: PAN}, {name: b, detector: IBAN}]')},
      'p.yaml:6: spec.masking[1].detector: must be ',
    ],
    [
      'with a pattern that is none',
      {'p.yaml': policy("[{name: a, detector: Regex, regex: {pattern: '('}}]")},
      'p.yaml:6: spec.masking[0].regex.pattern: ',
    ],
  ])('reads nothing under a policy %s', async (_, files, message) => {
    const run = mask('4111111111111111', ['--policy', 'p.yaml'], {files});
    await expect(run).rejects.toThrow(expect.objectContaining({message: expect.stringContaining(message)}));
  });

  test('says what media types there are', async () => {
    await expect(mask('', ['--media-type', 'yaml'])).rejects.toThrow('Allowed choices are json, text');
  });

  test('waits for who reads its output', async () => {
    let pending = 0;
    let most = 0;
    let written = 0;
    const slow = new Writable({
      highWaterMark: 1000,
      write(chunk: Buffer, _, done) {
        most = Math.max(most, slow.writableLength);
        written += chunk.length;
        pending++;
        setImmediate(() => {
          pending--;
          done();
        });
      },
    });
    await mask('x'.repeat(100_000), [], {chunkBytes: 500, target: slow});
    expect(pending).toBe(0);
    expect(written).toBe(100_000);
    expect(most).toBeLessThan(3000);
  });

  test('ends as other tools do where nobody reads its output any more', async () => {
    const closed = new Writable({
      write(_chunk, _encoding, done) {
        done(Object.assign(new Error('write EPIPE'), {code: 'EPIPE'}));
      },
    });
    expect(await mask('a\n', [], {target: closed})).toMatchObject({code: 141});
  });

  test('says so where the output cannot be written', async () => {
    const full = new Writable({
      write(_chunk, _encoding, done) {
        done(Object.assign(new Error('ENOSPC: no space left on device'), {code: 'ENOSPC'}));
      },
    });
    await expect(mask('a\n', [], {target: full})).rejects.toThrow('no space left');
  });
});
