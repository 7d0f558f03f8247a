import {expect, test} from '@jest/globals';
import {agent} from '../../test/operations.ts';
import {callOf} from '../../test/proxy/call.ts';
import {AuthenticationError} from '../authenticate/errors.ts';
import {withIdentity} from './identity.ts';

const known = agent();

test.each([
  ['at once', () => known],
  ['in time', () => Promise.resolve(known)],
])('an agent whose verdict comes %s goes on, and is on record', async (_when, verdict) => {
  const {call, log} = callOf({headers: {authorization: 'Bearer abc'}});
  const seen: unknown[] = [];
  const authenticate = (token: string) => {
    seen.push(token);
    return verdict();
  };
  await withIdentity({authenticate}, async (_call, found) => void seen.push(found))(call);
  expect(seen).toEqual(['abc', known]);
  await call.record.refused(call.recorded(), {code: 403});
  expect(log.last.user).toMatchObject({username: 'agent:build-bot'});
});

test.each<[string, Record<string, string>]>([
  ['no token', {}],
  ['another scheme', {authorization: 'Basic eDp5'}],
  ['a token that is refused', {authorization: 'Bearer refused'}],
])('%s goes no further', async (_name, headers) => {
  const {call} = callOf({headers});
  const authenticate = () => Promise.reject(new AuthenticationError('BadSignature', 'the signature is wrong'));
  const next = async () => {
    throw new Error('must not be reached');
  };
  await expect(async () => withIdentity({authenticate}, next)(call)).rejects.toThrow(AuthenticationError);
});
