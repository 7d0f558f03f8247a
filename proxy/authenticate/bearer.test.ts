import {describe, expect, test} from '@jest/globals';
import fc from 'fast-check';
import {bearerToken} from './bearer.ts';
import {AuthenticationError} from './errors.ts';

const inSubprotocol = (token: string) =>
  `base64url.bearer.authorization.k8s.io.${Buffer.from(token).toString('base64url')}`;
const webSocket = (protocols: string) => ({
  connection: 'Upgrade',
  upgrade: 'websocket',
  'sec-websocket-protocol': protocols,
});

describe('takes the token', () => {
  test.each([
    ['from Authorization', {authorization: 'Bearer a.b.c'}],
    ['whatever the case of the scheme', {authorization: 'bEARER a.b.c'}],
    ['with white space around it', {authorization: 'Bearer   a.b.c '}],
    ['from a WebSocket subprotocol', webSocket(`v5.channel.k8s.io,${inSubprotocol('a.b.c')}`)],
    ['from one of several subprotocols', webSocket(`v5.channel.k8s.io, ${inSubprotocol('a.b.c')},x`)],
    ['from Authorization beside other subprotocols', {authorization: 'Bearer a.b.c', 'sec-websocket-protocol': 'x'}],
  ])('%s', (_, headers) => expect(bearerToken(headers)).toBe('a.b.c'));
});

describe('refuses', () => {
  test.each([
    ['no header', {}, 'NoToken'],
    ['other subprotocols alone', {'sec-websocket-protocol': 'v5.channel.k8s.io'}, 'NoToken'],
    ['an empty header', {authorization: ''}, 'MalformedToken'],
    ['Basic', {authorization: 'Basic YTpi'}, 'MalformedToken'],
    ['a scheme alone', {authorization: 'Bearer'}, 'MalformedToken'],
    ['a scheme and nothing', {authorization: 'Bearer  '}, 'MalformedToken'],
    ['two words', {authorization: 'Bearer a b'}, 'MalformedToken'],
    ['a list', {authorization: 'Bearer a, Bearer b'}, 'MalformedToken'],
    ['characters outside ASCII', {authorization: 'Bearer é'}, 'MalformedToken'],
    ['both places', {authorization: 'Bearer a', ...webSocket(`x,${inSubprotocol('a')}`)}, 'TwoTokens'],
    ['both places, different', {authorization: 'Bearer a', ...webSocket(`x,${inSubprotocol('b')}`)}, 'TwoTokens'],
    ['two subprotocols', webSocket(`x,${inSubprotocol('a')},${inSubprotocol('a')}`), 'TwoTokens'],
    ['a subprotocol where no WebSocket is asked for', {'sec-websocket-protocol': `x,${inSubprotocol('a')}`}, 'NoToken'],
    ['a token with no other subprotocol', webSocket(inSubprotocol('a')), 'MalformedToken'],
    ['an empty subprotocol', webSocket(`x,${inSubprotocol('')}`), 'MalformedToken'],
    ['padding', webSocket(`x,${inSubprotocol('a')}==`), 'MalformedToken'],
    ['what is not base64url', webSocket(`x,${inSubprotocol('abc')}!`), 'MalformedToken'],
    ['an encoded line break', webSocket(`x,${inSubprotocol('a\nb')}`), 'MalformedToken'],
  ])('%s', (_, headers, code) => {
    expect(() => bearerToken(headers)).toThrow(expect.objectContaining({name: 'AuthenticationError', code}));
  });
});

test('gives one printable word or its own error', () => {
  const header = fc.option(fc.string({unit: 'binary'}), {nil: undefined});
  fc.assert(
    fc.property(header, header, (authorization, protocol) => {
      try {
        const headers = {
          ...(authorization !== undefined && {authorization: `Bearer ${authorization}`}),
          ...(protocol !== undefined && webSocket(`x,${inSubprotocol(protocol)}`)),
        };
        expect(bearerToken(headers)).toMatch(/^[!-~]+$/);
      } catch (error) {
        expect(error).toBeInstanceOf(AuthenticationError);
      }
    }),
  );
});
