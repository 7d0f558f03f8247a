import {describe, expect, test} from '@jest/globals';
import fc from 'fast-check';
import {CheckpointsError, parseCheckpoints} from './checkpoints.ts';

const hash = 'ab'.repeat(32);
const a = {origin: 'gateway-a', sequence: 4, hash};
const b = {origin: 'gateway-b', sequence: 0, hash};
const stored = (checkpoint: object) => JSON.stringify({...checkpoint, time: '2026-01-02T03:04:05Z'});

describe('checkpoints are read', () => {
  test.each([
    ['from JSON, one a line', `${stored(a)}\n${stored(b)}\n`],
    ['from lines that were converted', `\r\n${stored(a)}\r\n\r\n${stored(b)}`],
    [
      'from a ConfigMap in JSON',
      JSON.stringify({apiVersion: 'v1', kind: 'ConfigMap', data: {x: stored(a), y: stored(b)}}, null, 4),
    ],
    ['from a ConfigMap in JSON on one line', JSON.stringify({kind: 'ConfigMap', data: {x: stored(a), y: stored(b)}})],
    [
      'from a ConfigMap in YAML',
      `apiVersion: v1\ndata:\n  x: '${stored(a)}'\n  y: |\n    ${stored(b)}\nkind: ConfigMap\nmetadata:\n  name: checkpoints\n`,
    ],
  ])('%s', (_what, text) => {
    expect(parseCheckpoints(text)).toEqual([a, b]);
  });
});

describe('what is no checkpoints file is refused with the place', () => {
  test.each([
    ['', 'the file is empty: it must hold checkpoints'],
    ['hello', 'the file must hold checkpoints in JSON, one a line, or a ConfigMap as "kubectl get configmap -o yaml"'],
    ['kind: Secret\ndata: {}', 'the file must hold checkpoints'],
    ['a: [', 'the file is neither JSON nor YAML'],
    ['kind: ConfigMap', 'data: must hold one checkpoint for each chain, and holds none'],
    ['kind: ConfigMap\ndata: {}', 'data: must hold one checkpoint for each chain'],
    ['kind: ConfigMap\ndata: {x: "{"}', 'data["x"]: must be a checkpoint in JSON'],
    ['kind: ConfigMap\ndata: {x: {origin: a}}', 'data["x"]: must be a checkpoint in JSON'],
    [`${stored(a)}\nhello`, 'line 2: must be a checkpoint in JSON'],
    [stored({...a, origin: 'a b'}), 'line 1: origin: must be the name of a chain'],
    [stored({...a, sequence: -1}), 'line 1: sequence: must be a whole number from 0'],
    [stored({...a, sequence: '4'}), 'line 1: sequence: must be a whole number from 0'],
    [stored({...a, hash: hash.toUpperCase()}), 'line 1: hash: must be a SHA-256 in 64 lower-case hex digits'],
    ['a: &a [1]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]', 'the file is not YAML'],
  ])('%j', (text, message) => {
    expect(() => parseCheckpoints(text)).toThrow(CheckpointsError);
    expect(() => parseCheckpoints(text)).toThrow(message);
  });

  test('whatever it is', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
        expect(() => parseCheckpoints(text)).toThrow(CheckpointsError);
      }),
    );
  });
});
