import {type IncomingHttpHeaders, validateHeaderName, validateHeaderValue} from 'node:http';
import {describe, expect, test} from '@jest/globals';
import fc from 'fast-check';
import {agent} from '../../test/operations.ts';
import {downstreamHeaders, impersonation, ownIdentity, upstreamHeaders} from './headers.ts';

const own = {authorization: 'Bearer proxy', accept: 'application/json', auditID: 'a-1'};
/** What the proxy says itself, whoever calls. */
const always = ['audit-id', 'a-1', 'accept-encoding', 'identity', 'authorization', 'Bearer proxy'];

/** Name and value pairs of a flat list, sorted by name; several values of a name stay in their order. */
function pairs(flat: readonly string[]): [string, string][] {
  const list: [string, string][] = [];
  for (let at = 0; at < flat.length; at += 2) list.push([flat[at] ?? '', flat[at + 1] ?? '']);
  return list.sort(([a], [b]) => (a < b ? -1 : Number(a > b)));
}

describe('headers of the call upstream', () => {
  test.each([
    'content-encoding',
    'content-type',
    'if-match',
    'if-none-match',
    'if-modified-since',
    'kubectl-command',
    'kubectl-session',
    'traceparent',
    'tracestate',
    'user-agent',
  ])('%s passes', (name) => {
    expect(pairs(upstreamHeaders({[name]: 'value'}, [], own))).toContainEqual([name, 'value']);
  });

  test.each<[string, IncomingHttpHeaders]>([
    ['impersonation', {'impersonate-user': 'admin', 'impersonate-group': 'system:masters', 'impersonate-uid': '1'}],
    ['impersonated extra', {'impersonate-extra-scopes': 'all'}],
    ['what a front proxy would say', {'x-remote-user': 'admin', 'x-remote-group': 'system:masters'}],
    ['who the proxy would be forwarding for', {'x-forwarded-for': '192.0.2.1', forwarded: 'for=192.0.2.1'}],
    ['credentials', {authorization: 'Bearer agent', cookie: 'a=b', 'proxy-authorization': 'Basic eA=='}],
    ['an audit ID of its own', {'audit-id': 'forged'}],
    ['an encoding that could not be masked', {'accept-encoding': 'gzip'}],
    ['framing', {'transfer-encoding': 'chunked', 'content-length': '5', trailer: 'x', te: 'trailers'}],
    ['an upgrade', {upgrade: 'SPDY/3.1', connection: 'Upgrade', 'sec-websocket-protocol': 'v5.channel.k8s.io'}],
    ['Connection, which would take headers away', {connection: 'Impersonate-User, Authorization'}],
    ['Expect', {expect: '100-continue'}],
    ['what nobody thought of', {'x-invented-tomorrow': '1'}],
  ])('%s of the agent does not pass', (_what, inbound) => {
    const identity = ['impersonate-user', 'agent:a'];
    const expected = [...always, 'accept', 'application/json', ...identity];
    expect(pairs(upstreamHeaders(inbound, identity, own))).toEqual(pairs(expected));
  });

  test('whatever the agent sends, the proxy alone says who calls', () => {
    const dangerous = /^(impersonate-|x-remote-|authorization$|connection$|host$)/;
    fc.assert(
      fc.property(
        fc.dictionary(
          fc.string({minLength: 1}).map((name) => name.toLowerCase()),
          fc.string(),
        ),
        (inbound) => {
          const headers = pairs(upstreamHeaders(inbound, ['impersonate-user', 'agent:a'], own));
          expect(headers.filter(([name]) => dangerous.test(name))).toEqual([
            ['authorization', 'Bearer proxy'],
            ['impersonate-user', 'agent:a'],
          ]);
        },
      ),
    );
  });

  test('no Accept is made up', () => {
    const headers = upstreamHeaders({}, [], {...own, accept: undefined});
    expect(pairs(headers)).toEqual(pairs(always));
  });
});

describe('impersonation', () => {
  const of = (differing: Parameters<typeof agent>[0]) => impersonation()(agent(differing));

  test('a user is named with uid, every group and every value of every extra', () => {
    const headers = of({
      username: 'agent:build-bot',
      uid: '42',
      groups: ['ai-agents', 'ci'],
      extra: {'example.com/session': ['s-1'], scopes: ['read', 'write']},
    });
    expect(pairs(headers)).toEqual([
      ['impersonate-extra-example.com%2fsession', 's-1'],
      ['impersonate-extra-scopes', 'read'],
      ['impersonate-extra-scopes', 'write'],
      ['impersonate-group', 'ai-agents'],
      ['impersonate-group', 'ci'],
      ['impersonate-uid', '42'],
      ['impersonate-user', 'agent:build-bot'],
    ]);
  });

  test('a user without uid, groups and extra is a name alone', () => {
    expect(of({uid: '', groups: []})).toEqual(['impersonate-user', 'agent:build-bot']);
  });

  test('a ServiceAccount is impersonated without groups, which the API server adds itself', () => {
    const headers = of({
      username: 'system:serviceaccount:agents:builder',
      uid: 'u-1',
      groups: ['system:serviceaccounts', 'system:serviceaccounts:agents'],
      serviceAccount: {namespace: 'agents', name: 'builder'},
    });
    expect(pairs(headers)).toEqual([
      ['impersonate-uid', 'u-1'],
      ['impersonate-user', 'system:serviceaccount:agents:builder'],
    ]);
  });

  // k8s.io/client-go, transport/round_trippers.go: headerKeyEscape.
  test.each([
    ['example.com/role', 'example.com%2frole'],
    ['a b', 'a%20b'],
    ['50%', '50%25'],
    ['(team)', '%28team%29'],
    ['a:b@c', 'a%3ab%40c'],
    ['größe', 'gr%c3%b6%c3%9fe'],
    ['日', '%e6%97%a5'],
    ["plain-._~!*'", "plain-._~!*'"],
  ])('the key %s of an extra becomes %s', (key, escaped) => {
    expect(of({uid: '', groups: [], extra: {[key]: ['v']}}).slice(2)).toEqual([`impersonate-extra-${escaped}`, 'v']);
  });

  test('any key is a valid header name that the API server reads as that key, in lower case', () => {
    fc.assert(
      fc.property(fc.string({unit: 'grapheme', minLength: 1}), (key) => {
        const [, , name = ''] = of({uid: '', groups: [], extra: {[key]: ['v']}});
        validateHeaderName(name);
        const read = decodeURIComponent(name.slice('impersonate-extra-'.length));
        expect(read).toBe(key.replace(/[A-Z]/g, (letter) => letter.toLowerCase()));
      }),
    );
  });

  test.each(['agent:Jürgen', 'agent:日本', 'agent:🦊'])('%s travels as UTF-8, which is how Go reads it', (username) => {
    const [, value = ''] = of({username});
    validateHeaderValue('impersonate-user', value);
    expect(Buffer.from(value, 'latin1').toString('utf8')).toBe(username);
  });

  test('groups, uid and the values of extras travel as UTF-8 too', () => {
    const headers = of({uid: 'ü', groups: ['größe'], extra: {key: ['日']}});
    const read = pairs(headers).map(([name, value]) => [name, Buffer.from(value, 'latin1').toString('utf8')]);
    expect(read).toEqual([
      ['impersonate-extra-key', '日'],
      ['impersonate-group', 'größe'],
      ['impersonate-uid', 'ü'],
      ['impersonate-user', 'agent:build-bot'],
    ]);
  });

  test('two agents are never mixed up', () => {
    const identity = impersonation();
    const [one, other] = [agent({username: 'agent:one'}), agent({username: 'agent:other'})];
    expect([one, other, one].map((each) => identity(each)[1])).toEqual(['agent:one', 'agent:other', 'agent:one']);
  });

  test('a sidecar impersonates nobody', () => {
    expect(ownIdentity(agent())).toEqual([]);
  });
});

describe('headers of the answer', () => {
  test('what belongs to the connection upstream ends here', () => {
    const upstream: IncomingHttpHeaders = {
      ':status': '200',
      connection: 'keep-alive, X-Hop',
      'keep-alive': 'timeout=5',
      'proxy-authenticate': 'Basic',
      'proxy-connection': 'keep-alive',
      te: 'trailers',
      trailer: 'x-t',
      'transfer-encoding': 'chunked',
      upgrade: 'h2c',
      'x-hop': 'named by Connection',
      'audit-id': 'a-1',
      'content-type': 'application/json',
    };
    expect(pairs(downstreamHeaders(upstream))).toEqual([
      ['audit-id', 'a-1'],
      ['content-type', 'application/json'],
    ]);
  });

  test('a header that came more than once goes out as often', () => {
    const upstream = {warning: '299 - "first"', 'set-cookie': ['a=1', 'b=2'], vary: undefined};
    expect(pairs(downstreamHeaders(upstream))).toEqual([
      ['set-cookie', 'a=1'],
      ['set-cookie', 'b=2'],
      ['warning', '299 - "first"'],
    ]);
  });
});
