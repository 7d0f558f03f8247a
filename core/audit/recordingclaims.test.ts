import {describe, expect, test} from '@jest/globals';
import {type RecordingClaim, RecordingClaims} from './recordingclaims.ts';

const sha256 = 'ab'.repeat(32);

/** What is claimed of lines given as `[auditID, stage, more annotations]`; every line names the recording of its call. */
function claimsOf(lines: Iterable<readonly [string, string, object?]>): RecordingClaim[] {
  const claimed: RecordingClaim[] = [];
  const claims = new RecordingClaims((claim) => claimed.push(claim));
  let line = 0;
  for (const [auditID, stage, more] of lines) {
    line += 1;
    const annotations = {'lockkeeper.dev/recording': `2026-01-02/${auditID}.cast`, ...more};
    claims.saw({auditID, stage, annotations, line, sequence: line - 1});
  }
  claims.end();
  return claimed;
}

const sealed = {'lockkeeper.dev/recording-sha256': sha256, 'lockkeeper.dev/recording-bytes': '7'};
const received = 'RequestReceived';
const complete = 'ResponseComplete';

describe('a log claims of a recording', () => {
  test.each<[string, [string, string, object?][], Partial<RecordingClaim>[]]>([
    [
      'that it is whole where the outcome vouches for it',
      [
        ['a', received],
        ['a', 'ResponseStarted'],
        ['a', complete, sealed],
      ],
      [{auditID: 'a', name: '2026-01-02/a.cast', state: 'Sealed', seal: {sha256, bytes: 7}, line: 3, sequence: 2}],
    ],
    ['that it was begun where there is no outcome', [['a', received]], [{state: 'Unfinished', line: 1}]],
    [
      'that it was begun where the outcome does not vouch for it',
      [
        ['a', received],
        ['a', complete, {'lockkeeper.dev/recording-bytes': '7'}],
      ],
      [{state: 'Unfinished', line: 2}],
    ],
    ['that it was discarded where the stream never began', [['a', complete]], [{state: 'Discarded'}]],
    ['nothing where the line names none', [['a', received, {'lockkeeper.dev/recording': undefined}]], []],
    ['no name where it is none', [['a', received, {'lockkeeper.dev/recording': 7}]], [{name: undefined}]],
    [
      'no name where it is that of another call',
      [['a', received, {'lockkeeper.dev/recording': '2026-01-02/ab.cast'}]],
      [{name: undefined}],
    ],
  ])('%s', (_what, lines, expected) => {
    expect(claimsOf(lines)).toEqual(expected.map((claim) => expect.objectContaining(claim)));
  });

  test('that it is unfinished where too many others began since', () => {
    const many = Array.from({length: 100_002}, (_, i) => [`call-${i}`, received] as const);
    const claimed = claimsOf([...many, ['call-0', complete, sealed]]);
    expect(claimed.slice(0, 2)).toEqual([
      expect.objectContaining({auditID: 'call-0', state: 'Unfinished'}),
      expect.objectContaining({auditID: 'call-1', state: 'Unfinished'}),
    ]);
    expect(claimed[2]).toMatchObject({auditID: 'call-0', state: 'Sealed'});
  });
});
