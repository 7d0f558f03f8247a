import {describe, expect, test} from '@jest/globals';
import fc from 'fast-check';
import type {Checkpoint} from '../control/messages.ts';
import {type ChainPosition, computeHash, noPrevious, positionAfter, readSeal, seal} from './chain.ts';
import type {Fault, FaultKind} from './fault.ts';
import {LogVerifier} from './verify.ts';

type Stage = 'RequestReceived' | 'ResponseComplete';

/** A line for call `id` at a position. */
function line(at: ChainPosition, id: string, stage: Stage = 'ResponseComplete'): string {
  const record =
    `{"kind":"Event","apiVersion":"audit.k8s.io/v1","auditID":"${id}","stage":"${stage}",` +
    '"annotations":{"lockkeeper.dev/decision":"Allowed"';
  return seal(record, at).line;
}

function headOf(text: string): Checkpoint {
  const found = readSeal(Buffer.from(text));
  if (found === undefined) throw new Error('no seal');
  return found;
}

/** A whole log of so many lines, each without its newline. */
function chain(length: number, origin = 'gateway-0', id = 'call'): string[] {
  const lines: string[] = [];
  let at: ChainPosition = {origin, sequence: 0, previous: noPrevious};
  for (let i = 0; i < length; i++) {
    const next = line(at, `${id}-${i}`);
    lines.push(next);
    at = positionAfter(headOf(next));
  }
  return lines;
}

function verify(log: Uint8Array | readonly string[], checkpoints?: readonly Checkpoint[]) {
  const faults: Fault[] = [];
  const verifier = new LogVerifier((fault) => faults.push(fault), checkpoints);
  verifier.push(log instanceof Uint8Array ? log : Buffer.from(log.map((text) => `${text}\n`).join('')));
  const summary = verifier.end();
  expect(summary.faults).toBe(faults.length);
  return {summary, faults, brief: faults.map(({kind, line, sequence}) => [kind, line, sequence])};
}

const five = chain(5);
const [l0 = '', l1 = '', l2 = '', l3 = '', l4 = ''] = five;

describe('a whole log', () => {
  test('has no fault, and says how far it goes', () => {
    const {faults, summary} = verify(five);
    expect(faults).toEqual([]);
    expect(summary).toMatchObject({records: 5, origin: 'gateway-0', firstSequence: 0, lastSequence: 4});
  });

  test('may be empty', () => {
    expect(verify([])).toMatchObject({faults: [], summary: {records: 0, origin: undefined}});
  });

  test('is whole wherever the input is cut', () => {
    const bytes = Buffer.from(`${chain(3).join('\n')}\n`);
    for (let cut = 0; cut <= bytes.length; cut++) {
      const faults: Fault[] = [];
      const verifier = new LogVerifier((fault) => faults.push(fault));
      verifier.push(bytes.subarray(0, cut));
      verifier.push(bytes.subarray(cut));
      expect([cut, verifier.end().records, faults]).toEqual([cut, 3, []]);
    }
  });

  test('matches its checkpoints', () => {
    expect(verify(five, [headOf(l2), headOf(l4), headOf(chain(9, 'gateway-1')[8] ?? '')]).faults).toEqual([]);
  });
});

describe('tampering', () => {
  const table: [string, string[], [FaultKind, number, number | undefined][]][] = [
    ['the first line removed', [l1, l2, l3, l4], [['Gap', 1, 1]]],
    ['a line removed', [l0, l1, l3, l4], [['Gap', 3, 3]]],
    ['two lines removed', [l0, l3, l4], [['Gap', 2, 3]]],
    [
      'lines removed in two places',
      [l0, l2, l4],
      [
        ['Gap', 2, 2],
        ['Gap', 3, 4],
      ],
    ],
    ['a line copied', [l0, l1, l1, l2, l3, l4], [['Repeated', 3, 1]]],
    ['an early line copied to the end', [l0, l1, l2, l3, l4, l0], [['Repeated', 6, 0]]],
    ['all lines copied', [...five, ...five], five.map((_, i) => ['Repeated', 6 + i, i])],
    [
      'two neighbours swapped',
      [l0, l2, l1, l3, l4],
      [
        ['Gap', 2, 2],
        ['Reordered', 3, 1],
      ],
    ],
    [
      'the last two swapped',
      [l0, l1, l2, l4, l3],
      [
        ['Gap', 4, 4],
        ['Reordered', 5, 3],
      ],
    ],
    [
      'a line moved up',
      [l0, l3, l1, l2, l4],
      [
        ['Gap', 2, 3],
        ['Reordered', 3, 1],
      ],
    ],
    ['a line of another proxy mixed in', [l0, l1, chain(1, 'other')[0] ?? '', l2, l3], [['ForeignOrigin', 3, 0]]],
    ['a blank line', [l0, '', l1, l2], [['BlankLine', 2, undefined]]],
    ['a converted line end', [l0, `${l1}\r`, l2], [['CarriageReturn', 2, 1]]],
    ['foreign text', [l0, 'hello', l1, l2], [['NotARecord', 2, undefined]]],
    ['a line replaced by foreign text', [l0, 'hello', l2, l3], [['NotARecord', 2, undefined]]],
    ['foreign text first', ['hello', l0, l1], [['NotARecord', 1, undefined]]],
    ['a chain begun again', [l0, l1, ...chain(3, 'gateway-0', 'again')], [['Restarted', 3, 0]]],
    ['a chain begun again for one line', [l0, l1, ...chain(1, 'gateway-0', 'again'), l2, l3], [['Restarted', 3, 0]]],
    [
      'a line with its own true hash inserted',
      [l0, line(positionAfter(headOf(l0)), 'forged'), l1, l2],
      [['Repeated', 3, 1]],
    ],
    [
      'a line with its own true hash instead',
      [l0, line(positionAfter(headOf(l0)), 'forged'), l2, l3],
      [['Unchained', 3, 2]],
    ],
    [
      'a line from the future inserted',
      [l0, line({origin: 'gateway-0', sequence: 99, previous: noPrevious}, 'forged'), l1, l2],
      [
        ['Gap', 2, 99],
        ['Reordered', 3, 1],
      ],
    ],
    ['spaces between tokens', [l0, l1.replaceAll('":"', '": "'), l2], [['NotARecord', 2, undefined]]],
    ['a JSON escape of the same meaning', [l0, l1.replace('Allowed', '\\u0041llowed'), l2], [['Changed', 2, 1]]],
    ['other annotations order', [l0, reordered(l1), l2], [['NotARecord', 2, undefined]]],
    [
      'a line joined to the next',
      [l0, l1 + l2, l3, l4],
      [
        ['Changed', 2, 2],
        ['Gap', 3, 3],
      ],
    ],
    [
      'a line cut in two',
      [l0, l1.slice(0, 50), l1.slice(50), l2],
      [
        ['NotARecord', 2, undefined],
        ['Changed', 3, 1],
      ],
    ],
  ];

  test.each(table)('%s', (_what, log, expected) => {
    expect(verify(log).brief).toEqual(expected);
  });

  function reordered(text: string): string {
    const {annotations, ...event} = JSON.parse(text);
    return JSON.stringify({annotations, ...event});
  }

  test('each byte that changes is found in its own line', () => {
    const small = chain(3);
    const bytes = Buffer.from(`${small.join('\n')}\n`);
    let at = 0;
    for (const [i, text] of small.entries()) {
      for (let offset = 0; offset <= text.length; offset++, at++) {
        for (const flip of [0x01, 0x20, 0x80]) {
          const changed = Buffer.from(bytes);
          changed.writeUInt8(changed.readUInt8(at) ^ flip, at);
          expect([at, flip, verify(changed).faults[0]?.line]).toEqual([at, flip, i + 1]);
        }
      }
    }
  });

  test('each byte that is removed or added is found in its own line', () => {
    const small = chain(3);
    const bytes = Buffer.from(`${small.join('\n')}\n`);
    let at = 0;
    for (const [i, text] of small.entries()) {
      for (let offset = 0; offset <= text.length; offset++, at++) {
        const removed = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1)]);
        expect([at, verify(removed).faults[0]?.line]).toEqual([at, i + 1]);
        const added = Buffer.concat([bytes.subarray(0, at), Buffer.from('x'), bytes.subarray(at)]);
        expect([at, verify(added).faults[0]?.line]).toEqual([at, i + 1]);
      }
    }
  });

  test('a log that ends inside a line is torn there', () => {
    const bytes = Buffer.from(`${l0}\n${l1}\n`);
    for (let end = l0.length + 2; end < bytes.length; end++) {
      expect([end, verify(bytes.subarray(0, end)).brief]).toEqual([end, [['Torn', 2, undefined]]]);
    }
  });
});

describe('a line with a true hash that other tools would read otherwise', () => {
  const at = {origin: 'gateway-0', sequence: 0, previous: noPrevious};
  test.each([
    ['is not JSON', '{"kind":"Event",,"annotations":{"a":"b"'],
    ['is of another kind', '{"kind":"Pod","apiVersion":"v1","annotations":{"a":"b"'],
    ['has no audit ID', '{"kind":"Event","apiVersion":"audit.k8s.io/v1","stage":"Panic","annotations":{"a":"b"'],
    [
      'hides the chain in another member',
      '{"kind":"Event","apiVersion":"audit.k8s.io/v1","auditID":"a","stage":"Panic","notes":{"a":"b"',
    ],
  ])('%s: no record', (_what, record) => {
    expect(verify([seal(record, at).line]).brief).toEqual([['NotARecord', 1, 0]]);
  });

  test('is not UTF-8: no record', () => {
    const broken = Buffer.from(l0.replace('Allowed', 'Allowe~'), 'latin1');
    broken[broken.indexOf('~')] = 0xff;
    const hash = computeHash(broken);
    const forged = Buffer.concat([broken.subarray(0, -67), Buffer.from(`${hash}"}}\n`)]);
    expect(verify(forged).faults[0]?.message).toBe('the line is not JSON in UTF-8');
  });
});

describe('against checkpoints', () => {
  test('a cut tail is found, and how much of it', () => {
    expect(verify([l0, l1, l2]).faults).toEqual([]);
    const {faults} = verify([l0, l1, l2], [headOf(l1), headOf(l4)]);
    expect(faults).toEqual([
      {
        kind: 'CutTail',
        line: 3,
        sequence: 2,
        message: 'the log ends at sequence 2 and a checkpoint saw sequence 4: the last 2 lines are missing',
      },
    ]);
  });

  test('a chain rewritten with true hashes is found', () => {
    const rewritten = [l0, line(positionAfter(headOf(l0)), 'forged')];
    for (let i = 2; i < 5; i++) rewritten.push(line(positionAfter(headOf(rewritten[i - 1] ?? '')), `call-${i}`));
    expect(verify(rewritten).faults).toEqual([]);
    expect(verify(rewritten, [headOf(l0), headOf(l3)]).brief).toEqual([['CheckpointMismatch', 4, 3]]);
  });

  test('a chain rewritten under another origin is found', () => {
    const rewritten = chain(5, 'gateway-x');
    expect(verify(rewritten).faults).toEqual([]);
    expect(verify(rewritten, [headOf(l4)]).brief).toEqual([['NoCheckpoint', 1, 0]]);
  });

  test('checkpoints that contradict each other are found', () => {
    const other = {...headOf(l3), hash: noPrevious};
    expect(verify(five, [headOf(l3), other]).brief).toEqual([['CheckpointMismatch', 4, 3]]);
  });
});

describe('calls without an outcome', () => {
  function log(entries: readonly (readonly [string, Stage])[]): string[] {
    const lines: string[] = [];
    let at: ChainPosition = {origin: 'gateway-0', sequence: 0, previous: noPrevious};
    for (const [id, stage] of entries) {
      const next = line(at, id, stage);
      lines.push(next);
      at = positionAfter(headOf(next));
    }
    return lines;
  }

  test('are named and are no fault', () => {
    const {faults, summary} = verify(
      log([
        ['a', 'RequestReceived'],
        ['b', 'RequestReceived'],
        ['a', 'ResponseComplete'],
        ['refused', 'ResponseComplete'],
      ]),
    );
    expect(faults).toEqual([]);
    expect(summary.unfinished).toEqual({count: 1, examples: [{auditID: 'b', line: 2}]});
  });

  test('are counted past those that are named', () => {
    const many = Array.from({length: 30}, (_, i) => [`call-${i}`, 'RequestReceived'] as const);
    const {unfinished} = verify(log(many)).summary;
    expect(unfinished.count).toBe(30);
    expect(unfinished.examples).toHaveLength(10);
  });
});

describe('any bytes', () => {
  test('are judged and never whole unless they are', () => {
    fc.assert(
      fc.property(fc.uint8Array({minLength: 1, maxLength: 500}), (bytes) => {
        expect(verify(bytes).faults.length).toBeGreaterThan(0);
      }),
    );
  });

  test('made of true lines in any order are whole only as a prefix of the chain', () => {
    const pool = [...five, ...chain(3, 'gateway-0', 'fork'), ...chain(2, 'other'), '', 'x'];
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...pool), {maxLength: 12}), (log) => {
        const prefix = (whole: readonly string[]) => log.every((text, i) => text === whole[i]);
        const whole = prefix(five) || prefix(chain(3, 'gateway-0', 'fork')) || prefix(chain(2, 'other'));
        expect(verify(log).faults.length === 0).toBe(whole);
      }),
      {numRuns: 500},
    );
  });

  test('changed anywhere in a log are found', () => {
    const bytes = Buffer.from(`${five.join('\n')}\n`);
    fc.assert(
      fc.property(
        fc.nat({max: bytes.length - 1}),
        fc.nat({max: 300}),
        fc.uint8Array({maxLength: 40}),
        (at, cut, put) => {
          const changed = Buffer.concat([bytes.subarray(0, at), put, bytes.subarray(at + cut)]);
          // What is left may be a shorter log that is whole: a cut tail, which only a checkpoint shows.
          const whole =
            changed.equals(bytes.subarray(0, changed.length)) && (changed.length === 0 || changed.at(-1) === 10);
          expect(verify(changed).faults.length === 0).toBe(whole);
        },
      ),
    );
  });

  test('without a newline are not kept past the longest line', () => {
    const faults: Fault[] = [];
    const verifier = new LogVerifier((fault) => faults.push(fault));
    for (let i = 0; i < 40; i++) verifier.push(Buffer.alloc(1024 * 1024, 120));
    verifier.push(Buffer.from(`\n${l0}\n`));
    verifier.end();
    expect(faults.map(({kind}) => kind)).toEqual(['TooLong']);
  });
});
