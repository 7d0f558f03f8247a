import type {Socket} from 'node:net';
import {Duplex} from 'node:stream';
import {expect, test} from '@jest/globals';
import {Refusal} from '../path/refusal.ts';
import type {RecordUnreadable} from '../path/unreadable.ts';
import {refuseUnreadable} from './unreadable.ts';

/** A connection on which that many bytes came, and what was said on it. */
function connection(bytesRead: number) {
  let said = '';
  const stream = new Duplex({
    read: () => {},
    write(chunk, _encoding, done) {
      said += chunk;
      done();
    },
  });
  const socket = Object.assign(stream, {bytesRead, remoteAddress: '192.0.2.7'}) as unknown as Socket;
  return {socket, said: () => said};
}

async function refused(error: {code?: string; message?: string}, bytesRead = 1) {
  const recorded: Refusal[] = [];
  const record: RecordUnreadable = async (refusal) => {
    recorded.push(refusal);
    return refusal;
  };
  const {socket, said} = connection(bytesRead);
  const refuse = refuseUnreadable(record);
  for (let time = 0; time < 2; time++) refuse(Object.assign(new Error(error.message), error), socket);
  await new Promise(setImmediate);
  socket.destroy();
  return {said: said(), recorded: recorded.map(({httpStatus}) => httpStatus)};
}

test.each([
  [400, {code: 'HPE_INVALID_METHOD', message: 'Parse Error: Invalid method'}, 'BadRequest', 'read: Invalid method'],
  [408, {code: 'ERR_HTTP_REQUEST_TIMEOUT'}, 'RequestTimeout', 'in time'],
  [431, {code: 'HPE_HEADER_OVERFLOW'}, 'RequestHeaderFieldsTooLarge', 'too large'],
])('%i for %j, and one record', async (code, error, reason, message) => {
  const {said, recorded} = await refused(error);
  expect(said).toMatch(new RegExp(`^HTTP/1\\.1 ${code} `));
  expect(JSON.parse(said.split('\r\n\r\n')[1] ?? '')).toMatchObject({
    kind: 'Status',
    code,
    reason,
    message: expect.stringContaining(message),
  });
  expect(recorded).toEqual([code]);
});

test.each([
  ['nothing ever came on it', {code: 'ERR_HTTP_REQUEST_TIMEOUT'}, 0],
  ['it is broken', {code: 'ECONNRESET'}, 1],
])('a connection is closed without a word or a record when %s', async (_what, error, bytesRead) => {
  expect(await refused(error, bytesRead)).toEqual({said: '', recorded: []});
});

test('what cannot be put on record is told so', async () => {
  const {socket, said} = connection(1);
  const down = new Refusal('AuditUnavailable', 503, 'the call cannot be recorded');
  refuseUnreadable(async () => down)(Object.assign(new Error('x'), {code: 'HPE_INVALID_METHOD'}), socket);
  await new Promise(setImmediate);
  socket.destroy();
  expect(said()).toMatch(/^HTTP\/1\.1 503 /);
});
