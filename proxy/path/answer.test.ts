import {afterEach, describe, expect, test} from '@jest/globals';
import {type Exchange, exchange} from '../../test/proxy/exchange.ts';
import {AuditUnavailable} from '../audit/errors.ts';
import {AuthenticationError, AuthenticationUnavailable} from '../authenticate/errors.ts';
import {answer, refusalOf} from './answer.ts';
import {Refusal, type RefusalCode} from './refusal.ts';

let open: Exchange | undefined;
afterEach(() => open?.close());

async function answered(error: unknown) {
  open = await exchange('HTTP/1.1', (_request, response) => answer(response, refusalOf(error)));
  const {status, headers, body} = await open.ask().answer();
  return {status, headers, body: JSON.parse(body)};
}

describe('every error is a Status', () => {
  test.each<[string, unknown, RefusalCode, number, string]>([
    [
      'a refused token',
      new AuthenticationError('Expired', 'the token expired'),
      'Unauthenticated',
      401,
      'Unauthorized',
    ],
    [
      'an issuer that cannot be asked',
      new AuthenticationUnavailable('keys of https://issuer.example.com cannot be had'),
      'AuthenticationUnavailable',
      503,
      'ServiceUnavailable',
    ],
    ['a log that is down', new AuditUnavailable('no space'), 'AuditUnavailable', 503, 'ServiceUnavailable'],
    ['a Refusal', new Refusal('NotAcceptable', 406, 'only JSON'), 'NotAcceptable', 406, 'NotAcceptable'],
    ['anything else', new TypeError('x is undefined'), 'Internal', 500, 'InternalError'],
    ['what is no error at all', 'thrown text', 'Internal', 500, 'InternalError'],
  ])('%s', async (_name, error, code, status, reason) => {
    expect(refusalOf(error)).toMatchObject({code, httpStatus: status});
    const answered_ = await answered(error);
    expect(answered_).toMatchObject({
      status,
      headers: {'content-type': 'application/json'},
      body: {kind: 'Status', apiVersion: 'v1', status: 'Failure', code: status, reason},
    });
  });

  test('what was thrown is kept for the record and not told to the agent', async () => {
    const failure = new TypeError('x is undefined');
    expect(refusalOf(failure).cause).toBe(failure);
    expect((await answered(failure)).body.message).not.toContain('undefined');
  });
});

test('401 says how to authenticate', async () => {
  const {headers} = await answered(new AuthenticationError('NoToken', 'no bearer token'));
  expect(headers['www-authenticate']).toBe('Bearer realm="lockkeeper"');
});

test.each([403, 429, 503])('%d does not ask to authenticate', async (status) => {
  const {headers} = await answered(new Refusal('Overloaded', status, 'no'));
  expect(headers).not.toHaveProperty('www-authenticate');
});

test('when to come again is a header and a detail of the Status', async () => {
  const details = {name: 'web', kind: 'pods'};
  const {headers, body} = await answered(new Refusal('Overloaded', 429, 'full', {retryAfterSeconds: 3, details}));
  expect(headers['retry-after']).toBe('3');
  expect(body.details).toEqual({name: 'web', kind: 'pods', retryAfterSeconds: 3});
});

test('text beyond ASCII is counted in bytes', async () => {
  expect((await answered(new Refusal('PolicyDenied', 403, 'Größe 日本'))).body.message).toBe('Größe 日本');
});
