import {expect, test} from '@jest/globals';
import {agent, operation} from '../../test/operations.ts';
import {callOf} from '../../test/proxy/call.ts';
import {AuditUnavailable} from '../audit/errors.ts';
import {withIntent} from './intent.ts';

const permitted = {decided: undefined as never, permitted: undefined as never};

test('the call goes on once its intent is on record', async () => {
  const {call, log} = callOf();
  call.record.identified(agent());
  call.record.resolved(operation());
  const stages: string[][] = [];
  await withIntent(async () => void stages.push(log.stages))(call, permitted);
  expect(stages).toEqual([['RequestReceived']]);
  expect(call.intended).toBe(true);
});

test('a call whose intent cannot be recorded goes no further', async () => {
  const {call, log} = callOf();
  log.down = true;
  let forwarded = false;
  const next = async () => {
    forwarded = true;
  };
  await expect(withIntent(next)(call, permitted)).rejects.toThrow(AuditUnavailable);
  expect({forwarded, intended: call.intended}).toEqual({forwarded: false, intended: false});
});
