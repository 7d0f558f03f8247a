import {describe, expect, test} from '@jest/globals';
import fc from 'fast-check';
import {stringify} from 'yaml';
import {AuthenticationError} from './errors.ts';
import {identify} from './identity.ts';
import {parseConfiguration} from './parseconfiguration.ts';

const cluster = 'https://kubernetes.default.svc';

function authenticator(change: object = {}, url = 'https://issuer.example.com') {
  const text = stringify({
    apiVersion: 'apiserver.config.k8s.io/v1',
    kind: 'AuthenticationConfiguration',
    jwt: [{issuer: {url, audiences: ['a']}, claimMappings: {username: {claim: 'sub'}}, ...change}],
  });
  const [first] = parseConfiguration(text, url === cluster ? cluster : undefined).jwt;
  if (first === undefined) throw new Error('no authenticator');
  return first;
}

const mapped = (claimMappings: object) => authenticator({claimMappings: {username: {claim: 'sub'}, ...claimMappings}});
const nobody = {username: '', uid: '', groups: [], extra: {}, serviceAccount: undefined};

describe('an OIDC token', () => {
  test.each([
    ['the default prefix', authenticator(), {sub: 'bot'}, {username: 'agent:bot'}],
    ['its own prefix', mapped({username: {claim: 'sub', prefix: 'bots/'}}), {sub: 'x'}, {username: 'bots/x'}],
    [
      'an expression',
      mapped({username: {expression: "'agent:' + claims.nested.list[0]"}}),
      {nested: {list: ['bot']}},
      {username: 'agent:bot'},
    ],
    [
      'every group, prefixed',
      mapped({groups: {claim: 'groups', prefix: 'idp:'}}),
      {sub: 'bot', groups: ['a', 'b', 'c']},
      {username: 'agent:bot', groups: ['idp:a', 'idp:b', 'idp:c']},
    ],
    [
      'a group that is no list',
      mapped({groups: {claim: 'role', prefix: ''}}),
      {sub: 'b', role: 'x'},
      {username: 'agent:b', groups: ['x']},
    ],
    ['no groups', mapped({groups: {claim: 'groups', prefix: ''}}), {sub: 'b'}, {username: 'agent:b'}],
    [
      'groups of an expression',
      mapped({groups: {expression: "claims.roles.map(role, 'idp:' + role)"}}),
      {sub: 'b', roles: ['x', 'y']},
      {username: 'agent:b', groups: ['idp:x', 'idp:y']},
    ],
    ['a uid', mapped({uid: {claim: 'oid'}}), {sub: 'b', oid: 'u1'}, {username: 'agent:b', uid: 'u1'}],
    [
      'a uid of an expression',
      mapped({uid: {expression: 'string(claims.id)'}}),
      {sub: 'b', id: 1234567},
      {username: 'agent:b', uid: '1234567'},
    ],
    [
      'extra, without what is empty',
      mapped({
        extra: [
          {key: 'example.com/a', valueExpression: 'claims.a'},
          {key: 'example.com/b', valueExpression: "''"},
          {key: 'example.com/c', valueExpression: 'claims.c'},
        ],
      }),
      {sub: 'b', a: 'x', c: ['y', '']},
      {username: 'agent:b', extra: {'example.com/a': ['x'], 'example.com/c': ['y']}},
    ],
    [
      'the name of a ServiceAccount, prefixed',
      authenticator(),
      {sub: 'system:serviceaccount:a:b'},
      {username: 'agent:system:serviceaccount:a:b'},
    ],
  ])('gives %s', (_, jwt, claims, identity) => {
    expect(identify(jwt, claims)).toEqual({...nobody, ...identity});
  });

  const email = authenticator({claimMappings: {username: {claim: 'email'}}});
  const reserved = mapped({groups: {claim: 'groups', prefix: ''}});
  const rule = (expression: string, message?: string) => authenticator({claimValidationRules: [{expression, message}]});
  const userRule = (expression: string, message?: string) =>
    authenticator({userValidationRules: [{expression, message}]});

  test.each([
    ['without the username claim', authenticator(), {}, 'claim sub must be a text'],
    ['with an empty username', authenticator(), {sub: ''}, 'claim sub must be a text'],
    ['with a username that is no text', authenticator(), {sub: 5}, 'claim sub must be a text'],
    ['whose email is not verified', email, {email: 'a@example.com', email_verified: false}, 'email is not verified'],
    [
      'whose email is verified in words',
      email,
      {email: 'a@example.com', email_verified: 'true'},
      'email is not verified',
    ],
    ['in system:masters', reserved, {sub: 'b', groups: ['x', 'system:masters']}, '"system:masters"'],
    ['whose groups are numbers', reserved, {sub: 'b', groups: [1]}, 'claim groups must be a text or a list of texts'],
    [
      'whose username becomes one of Kubernetes',
      mapped({username: {claim: 'sub', prefix: 'sys'}}),
      {sub: 'tem:admin'},
      '"system:admin"',
    ],
    [
      'whose username lacks the prefix',
      mapped({username: {expression: 'claims.sub'}}),
      {sub: 'alice'},
      'must give a name behind agent:, gave "alice"',
    ],
    [
      'whose username is the prefix',
      mapped({username: {expression: "'agent:' + claims.sub"}}),
      {sub: ''},
      'behind agent:',
    ],
    [
      'whose expression finds no claim',
      mapped({username: {expression: "'agent:' + claims.x"}}),
      {sub: 'b'},
      'does not fit',
    ],
    [
      'whose username expression gives a number',
      mapped({username: {expression: 'claims.n'}}),
      {n: 1},
      'must give a text',
    ],
    [
      'that breaks a rule',
      rule("claims.hd == 'example.com'", 'wrong domain'),
      {sub: 'b', hd: 'x'},
      'refused: wrong domain',
    ],
    [
      'that breaks a rule without a message',
      rule("claims.hd == 'a'"),
      {sub: 'b', hd: 'x'},
      "rule claims.hd == 'a' does not",
    ],
    ['for which a rule fails', rule("claims.hd == 'example.com'"), {sub: 'b'}, 'does not fit the expression'],
    ['for which a rule gives no bool', rule('claims.hd'), {sub: 'b', hd: 'yes'}, 'the rule claims.hd does not hold'],
    ['whose user breaks a rule', userRule("user.username != 'agent:b'", 'not b'), {sub: 'b'}, 'refused: not b'],
    [
      'without a required claim',
      authenticator({claimValidationRules: [{claim: 'hd', requiredValue: 'example.com'}]}),
      {sub: 'b'},
      'claim hd must be "example.com"',
    ],
    ['with white space at an end', authenticator(), {sub: 'b '}, 'no white space at an end'],
    ['with a line break', reserved, {sub: 'b', groups: ['a\r\nImpersonate-Group: admins']}, 'no control characters'],
    ['with half a character', authenticator(), {sub: '\ud800'}, 'no control characters'],
  ])('%s is refused', (_, jwt, claims, reason) => {
    expect(() => identify(jwt, claims)).toThrow(AuthenticationError);
    expect(() => identify(jwt, claims)).toThrow(reason);
  });
});

describe("a token of the cluster's own issuer", () => {
  const jwt = authenticator({claimMappings: undefined}, cluster);
  const sub = 'system:serviceaccount:pay:bot';
  const bound = {namespace: 'pay', serviceaccount: {name: 'bot', uid: 'u1'}};

  test('is that ServiceAccount', () => {
    expect(identify(jwt, {sub, 'kubernetes.io': bound})).toEqual({
      username: sub,
      uid: 'u1',
      groups: ['system:serviceaccounts', 'system:serviceaccounts:pay'],
      extra: {},
      serviceAccount: {namespace: 'pay', name: 'bot'},
    });
  });

  test.each([
    ['names a node', {sub: 'system:node:a', 'kubernetes.io': bound}],
    ['names no one', {'kubernetes.io': bound}],
    ['has a fourth part', {sub: `${sub}:x`, 'kubernetes.io': bound}],
    ['has no binding', {sub}],
    ['is bound to null', {sub, 'kubernetes.io': null}],
    ['is bound to another namespace', {sub, 'kubernetes.io': {...bound, namespace: 'other'}}],
    ['is bound to another name', {sub, 'kubernetes.io': {...bound, serviceaccount: {name: 'x', uid: 'u1'}}}],
    ['is bound to no uid', {sub, 'kubernetes.io': {...bound, serviceaccount: {name: 'bot'}}}],
  ])('that %s is refused', (_, claims) => {
    expect(() => identify(jwt, claims)).toThrow(expect.objectContaining({code: 'IdentityRefused'}));
  });
});

test('whatever the claims hold, no identity begins with system:, and nothing but its own error is thrown', () => {
  const jwt = authenticator({
    claimMappings: {
      username: {claim: 'sub', prefix: 's'},
      groups: {expression: "claims.groups + ['x']"},
      uid: {claim: 'uid'},
    },
  });
  const word = fc.oneof(fc.constantFrom('ystem:admin', 'system:masters'), fc.string({unit: 'binary'}), fc.jsonValue());
  const claims = fc.record({sub: word, uid: word, groups: fc.oneof(fc.array(word), word)}, {requiredKeys: []});
  fc.assert(
    fc.property(claims, (values) => {
      try {
        const {username, groups} = identify(jwt, values);
        expect([username, ...groups].filter((name) => name.startsWith('system:'))).toEqual([]);
      } catch (error) {
        expect(error).toBeInstanceOf(AuthenticationError);
      }
    }),
  );
});
