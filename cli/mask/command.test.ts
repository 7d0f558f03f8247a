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

  test.each([
    ['show: None', '4111111111111111', '****************'],
    ['show: FirstSixLastFour', '4111111111111111', '411111******1111'],
    ['longDigitRuns: true', '000000555555555555444499', '000000************444499'],
    ['longDigitRuns: false', '000000555555555555444499', '000000555555555555444499'],
  ])('does what the policy says of card numbers: %s', async (said, input, out) => {
    const files = {'policy.yaml': policy(`[{name: cards, detector: PAN, ${said}}]`)};
    expect(await mask(input, ['--policy', 'policy.yaml'], {files})).toMatchObject({out});
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

describe('lockkeeper mask --report', () => {
  const pan = '4111111111111111';
  const base64 = (text: string): string => Buffer.from(text).toString('base64');

  /** The lines, with the input that each is about. */
  async function reported(input: string, args: readonly string[] = [], run: Run = {}) {
    const {out} = await mask(input, [...args, '--report'], run);
    const lines = out.split('\n').slice(0, -1);
    return lines.map((line) => {
      const {offset, length, ...rest} = JSON.parse(line);
      return {
        text: Buffer.from(input)
          .subarray(offset, offset + length)
          .toString(),
        offset,
        ...rest,
      };
    });
  }

  const visa = {detector: 'PAN', brand: 'Visa'};

  test.each<[string, string, string, object[]]>([
    ['nothing', 'text', 'all is well', []],
    [
      'card numbers',
      'text',
      'é 4111 1111 1111 1111, 378282246310005\n',
      [
        {offset: 3, text: '4111 1111 1111 1111', ...visa},
        {offset: 24, text: '378282246310005', detector: 'PAN', brand: 'American Express'},
      ],
    ],
    [
      'stripes and codes',
      'text',
      `cvv=123 ;${pan}=29121011234567890?`,
      [
        {offset: 4, text: '123', detector: 'CardVerificationCode'},
        {offset: 9, text: `${pan}=29121011234567890?`, detector: 'TrackData', brand: 'Visa'},
      ],
    ],
    [
      'numbers of JSON, and escapes',
      'json',
      `{"a":5.555555555554444e15,"b":"x \\u0034111111111111111"}`,
      [
        {offset: 5, text: '5.555555555554444e15', detector: 'PAN', brand: 'Mastercard'},
        {offset: 33, text: '\\u0034111111111111111', ...visa},
      ],
    ],
    [
      'base64, by the characters that encode it',
      'json',
      `{"data":{"a":"${base64(`x;${pan};y`)}","b":"${pan}"}}`,
      [
        {offset: 16, text: base64(`x;${pan};y`).slice(2, 24), ...visa},
        {offset: 49, text: pan, ...visa},
      ],
    ],
    [
      'other digits',
      'text',
      '4111 1111 1111 1111'.replaceAll('1', '\uff11').replace('4', '\uff14'),
      [{offset: 0, text: '4111 1111 1111 1111'.replaceAll('1', '\uff11').replace('4', '\uff14'), ...visa}],
    ],
  ])('says where it found %s', async (_, mediaType, input, expected) => {
    for (const chunkBytes of [1, 7, 1000]) {
      expect(await reported(input, ['--media-type', mediaType], {chunkBytes})).toEqual(expected);
    }
  });

  test('says what patterns and paths of a policy find', async () => {
    const files = {
      'p.yaml': policy(
        '[{name: a, detector: Regex, regex: {pattern: "tok_[a-z]+"}}, {name: b, detector: Field, field: {resources: [{apiGroups: [""], resources: [pods]}], paths: [spec.x]}}, ' +
          '{name: c, detector: Field, field: {resources: [{apiGroups: [""], resources: [pods]}], paths: [spec.y], action: Remove}}, ' +
          '{name: d, detector: PAN, exemptions: [{fields: [spec.z]}]}]',
      ),
    };
    const input = `{"spec":{"x":["tok_a"],"y": {"z":1},"z":"${pan}"},"n":"tok_a é tok_b","p":${pan}}`;
    const args = ['--media-type', 'json', '--policy', 'p.yaml'];
    for (const chunkBytes of [1, 7, 1000]) {
      expect(await reported(input, args, {files, chunkBytes})).toEqual([
        {offset: 13, text: '["tok_a"]', detector: 'Field'},
        {offset: 28, text: '{"z":1}', detector: 'Field'},
        {offset: 65, text: 'tok_a', detector: 'Regex'},
        {offset: 74, text: 'tok_b', detector: 'Regex'},
        {offset: 85, text: pan, ...visa},
      ]);
    }
  });

  test('writes no digit of what it found, and in the order of the input', async () => {
    const {out} = await mask(`${pan} ${pan}`, ['--report']);
    expect(out).toBe(
      '{"offset":0,"length":16,"detector":"PAN","brand":"Visa"}\n' +
        '{"offset":17,"length":16,"detector":"PAN","brand":"Visa"}\n',
    );
  });

  test('writes nothing where it cannot read the input', async () => {
    await expect(
      mask('{"a":', ['--media-type', 'json', '--report', '--policy', 'p.yaml'], {
        files: {
          'p.yaml': policy(
            '[{name: a, detector: Field, field: {resources: [{apiGroups: [""], resources: [pods]}], paths: [a]}}]',
          ),
        },
      }),
    ).rejects.toThrow('what should be JSON cannot be read');
  });
});
