import {describe, expect, test} from '@jest/globals';
import fc from 'fast-check';
import {asksForWebSocket, subprotocols, webSocketRefusal} from './websocket.ts';

const bearer = 'base64url.bearer.authorization.k8s.io.';

describe('subprotocols', () => {
  test.each([
    ['no header', undefined, [], []],
    ['an empty one', ' ', [], []],
    ['one', 'v5.channel.k8s.io', [], ['v5.channel.k8s.io']],
    ['several, in their order', 'b, a ,\tc', [], ['b', 'a', 'c']],
    ['empty entries', ',a,,b,', [], ['a', 'b']],
    ['a tunnel', 'SPDY/3.1+portforward.k8s.io', [], ['SPDY/3.1+portforward.k8s.io']],
    ['a token among them', `a, ${bearer}eA,b`, ['eA'], ['a', 'b']],
    ['two tokens', `${bearer}eA,${bearer}eQ`, ['eA', 'eQ'], []],
    ['a token of no length', bearer, [''], []],
  ])('%s', (_, header, bearers, offered) => expect(subprotocols(header)).toEqual({bearers, offered}));

  test('no token is ever among what is offered', () => {
    const entry = fc.oneof(
      fc.string(),
      fc.string().map((token) => bearer + token),
    );
    fc.assert(
      fc.property(fc.array(entry), fc.constantFrom(',', ', ', ' ,\t'), (entries, separator) => {
        const {offered} = subprotocols(entries.join(separator));
        expect(offered.filter((protocol) => protocol.startsWith(bearer))).toEqual([]);
      }),
    );
  });
});

test.each([
  [true, {upgrade: 'websocket', connection: 'Upgrade'}],
  [true, {upgrade: 'WebSocket', connection: 'keep-alive, upgrade'}],
  [false, {upgrade: 'websocket'}],
  [false, {connection: 'Upgrade'}],
  [false, {upgrade: 'SPDY/3.1', connection: 'Upgrade'}],
  [false, {}],
])('asks for a WebSocket: %s with %j', (asks, headers) => expect(asksForWebSocket(headers)).toBe(asks));

describe('a WebSocket handshake', () => {
  const headers = {'sec-websocket-version': '13', 'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ=='};

  test('by GET, with version 13 and a key, is taken', () => {
    expect(webSocketRefusal('GET', headers)).toBeUndefined();
  });

  test.each<[string, string, Record<string, string>]>([
    ['by POST', 'POST', headers],
    ['of an old version', 'GET', {...headers, 'sec-websocket-version': '8'}],
    ['of two versions', 'GET', {...headers, 'sec-websocket-version': '13, 8'}],
    ['without a key', 'GET', {'sec-websocket-version': '13'}],
    ['with a short key', 'GET', {...headers, 'sec-websocket-key': 'eA=='}],
    ['with two keys', 'GET', {...headers, 'sec-websocket-key': `${headers['sec-websocket-key']}, eA==`}],
  ])('%s is refused', (_, method, given) => {
    expect(webSocketRefusal(method, given)).toMatchObject({status: 400, code: 'HandshakeNotClear'});
  });
});
