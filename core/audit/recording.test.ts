import {describe, expect, test} from '@jest/globals';
import {isRecordingName, recordingName} from './recording.ts';

const auditID = '0a1b2c3d-1111-4222-8333-444455556666';
const lastOfTheYear = Date.UTC(2026, 11, 31, 23, 59, 59, 999) * 1000 + 999;

describe('a recording', () => {
  test.each([
    ['Command', lastOfTheYear, `2026-12-31/${auditID}.cast`],
    ['Command', lastOfTheYear + 1, `2027-01-01/${auditID}.cast`],
    ['PortForward', lastOfTheYear, `2026-12-31/${auditID}.jsonl`],
  ] as const)('%s at %d is named by the day and the audit ID', (kind, startedAt, name) => {
    expect(recordingName(auditID, startedAt, kind)).toBe(name);
    expect(isRecordingName(name)).toBe(true);
  });

  test.each([
    '',
    'a.cast',
    '../2026-12-31/a.cast',
    '2026-12-31/../a.cast',
    '/2026-12-31/a.cast',
    '2026-12-31/a/b.cast',
    '2026-12-31/.cast',
    '2026-12-31/a.b.cast',
    '2026-12-31/a.log',
    '2026-12-31/a.cast\n',
    `2026-12-31/${'a'.repeat(65)}.cast`,
  ])('is never named %j', (name) => {
    expect(isRecordingName(name)).toBe(false);
  });
});
