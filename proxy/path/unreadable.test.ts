import {expect, test} from '@jest/globals';
import {MemoryLog} from '../../test/proxy/recording.ts';
import {Metrics} from '../serve/metrics.ts';
import {Refusal} from './refusal.ts';
import {recordUnreadable} from './unreadable.ts';

const refusal = new Refusal('Unreadable', 400, 'the request cannot be read: Invalid method');

function recording() {
  const log = new MemoryLog();
  const metrics = new Metrics();
  return {log, metrics, record: recordUnreadable({recorder: log.recorder(), metrics})};
}

test('a request that could not be read has a line of its own, and is counted', async () => {
  const {log, metrics, record} = recording();
  expect(await record(refusal, '192.0.2.7')).toBe(refusal);
  expect(log.events).toEqual([
    expect.objectContaining({
      stage: 'ResponseComplete',
      sourceIPs: ['192.0.2.7'],
      responseStatus: expect.objectContaining({code: 400, message: refusal.message}),
      annotations: expect.objectContaining({
        'lockkeeper.dev/decision': 'Refused',
        'lockkeeper.dev/refusal': 'Unreadable',
      }),
    }),
  ]);
  const counted = await metrics.registry.getSingleMetricAsString('lockkeeper_proxy_requests_total');
  expect(counted).toContain('{verb="",code="400",outcome="Unreadable"} 1');
});

test('while the log cannot be written the answer says that', async () => {
  const {log, metrics, record} = recording();
  log.down = true;
  expect(await record(refusal, '192.0.2.7')).toMatchObject({code: 'AuditUnavailable', httpStatus: 503});
  const counted = await metrics.registry.getSingleMetricAsString('lockkeeper_proxy_requests_total');
  expect(counted).toContain('{verb="",code="503",outcome="AuditUnavailable"} 1');
});
