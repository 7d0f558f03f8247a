import {expect, test} from '@jest/globals';
import {Received} from '../../test/proxy/upstream.ts';
import {Rewritten} from './rewritten.ts';
import type {ResponseController} from './transport.ts';

const controller: ResponseController = {abort: () => {}, pause: () => {}, resume: () => {}};
const headers = {'content-type': 'application/json', 'content-length': '5'};

/** Gives an answer in pieces; what is known to be rewritten is turned round. */
function answering(statusCode: number, pieces: readonly string[]) {
  const received = new Received();
  const rewritten = new Rewritten(received, {
    maximumBytes: 8,
    applies: (status) => status === 201,
    body(answer) {
      if (answer === undefined) throw new Error('too long');
      if (answer.toString() === 'bad') throw new Error('unreadable');
      return Buffer.from(`<${answer.toString()}>`);
    },
  });
  rewritten.onRequestStart(controller);
  rewritten.onResponseStart(controller, statusCode, headers);
  for (const piece of pieces) {
    const bytes = Buffer.from(piece);
    rewritten.onResponseData(controller, bytes);
    // A transport reads into the same buffer again.
    bytes.fill(0);
  }
  return {received, rewritten};
}

test.each([[['hello']], [['h', 'el', 'lo']]])(
  'an answer in pieces %j is given anew, with its length',
  async (pieces) => {
    const {received, rewritten} = answering(201, pieces);
    rewritten.onResponseEnd();
    expect(await received.started).toEqual({status: 201, headers: {...headers, 'content-length': '7'}});
    expect(await received.ended).toBeUndefined();
    expect(received.body).toBe('<hello>');
  },
);

test('nothing of it is given before it is whole', () => {
  const {received} = answering(201, ['hel']);
  expect(received.body).toBe('');
});

test('an answer of another kind passes as it comes', async () => {
  const {received, rewritten} = answering(403, ['hel', 'lo, and more than fits']);
  rewritten.onResponseEnd();
  expect(await received.started).toEqual({status: 403, headers});
  expect(await received.ended).toBeUndefined();
  expect(received.body).toBe('hello, and more than fits');
});

test.each([
  ['that is too long', ['123456789'], 'too long'],
  ['that becomes too long', ['12345678', '9'], 'too long'],
  ['that cannot be read', ['bad'], 'unreadable'],
])('an answer %s is an error before anything was given', async (_, pieces, message) => {
  const {received, rewritten} = answering(201, pieces);
  rewritten.onResponseEnd();
  expect(await received.ended).toMatchObject({message});
  expect(received.body).toBe('');
});

test('an answer that breaks off is one too', async () => {
  const {received, rewritten} = answering(201, ['hel']);
  rewritten.onResponseError(controller, new Error('broke off'));
  expect(await received.ended).toMatchObject({message: 'broke off'});
  expect(received.body).toBe('');
});
