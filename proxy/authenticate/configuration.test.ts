import {describe, expect, test} from '@jest/globals';
import fc from 'fast-check';
import {stringify} from 'yaml';
import {ConfigurationError} from './errors.ts';
import {parseConfiguration} from './parseconfiguration.ts';

const cluster = 'https://kubernetes.default.svc';
const oidc = {
  issuer: {url: 'https://issuer.example.com', audiences: ['lockkeeper']},
  claimMappings: {username: {claim: 'sub'}},
};

/** The configuration with one issuer, of which some fields are replaced. */
function withIssuer(change: object): string {
  return withJWT([{...oidc, ...change}]);
}

function withJWT(jwt: unknown): string {
  return stringify({apiVersion: 'apiserver.config.k8s.io/v1', kind: 'AuthenticationConfiguration', jwt});
}

function withMappings(claimMappings: object): string {
  return withIssuer({claimMappings: {...oidc.claimMappings, ...claimMappings}});
}

describe('takes', () => {
  test.each(['apiserver.config.k8s.io/v1', 'apiserver.config.k8s.io/v1beta1'])('%s', (apiVersion) => {
    const text = stringify({apiVersion, kind: 'AuthenticationConfiguration', jwt: [oidc]});
    expect(parseConfiguration(text, undefined)).toEqual({
      jwt: [
        {
          issuer: {...oidc.issuer, discoveryURL: undefined, certificateAuthority: undefined},
          requiredClaims: [],
          claimRules: [],
          mappings: {
            kind: 'OIDC',
            username: {kind: 'Claim', claim: 'sub', prefix: 'agent:'},
            groups: undefined,
            uid: undefined,
            extra: [],
          },
          userRules: [],
        },
      ],
    });
  });

  test('every field that there is', () => {
    const [authenticator] = parseConfiguration(
      withIssuer({
        issuer: {
          url: 'https://issuer.example.com/tenant',
          discoveryURL: 'https://discovery.example.com/.well-known/openid-configuration',
          audiences: ['a', 'b'],
          audienceMatchPolicy: 'MatchAny',
        },
        claimValidationRules: [
          {claim: 'hd', requiredValue: 'example.com'},
          {expression: 'claims.email_verified == true', message: 'verify the email'},
        ],
        claimMappings: {
          username: {expression: "'agent:' + claims.email"},
          groups: {claim: 'groups', prefix: ''},
          uid: {claim: 'sub'},
          extra: [{key: 'example.com/tenant', valueExpression: 'claims.tenant'}],
        },
        userValidationRules: [{expression: "!user.username.startsWith('agent:admin')", message: 'no admins'}],
      }),
      undefined,
    ).jwt;
    expect(authenticator).toMatchObject({
      issuer: {discoveryURL: 'https://discovery.example.com/.well-known/openid-configuration', audiences: ['a', 'b']},
      requiredClaims: [{claim: 'hd', value: 'example.com'}],
      claimRules: [{message: 'verify the email'}],
      mappings: {
        username: {kind: 'Expression'},
        groups: {kind: 'Claim', claim: 'groups', prefix: ''},
        uid: {kind: 'Claim', claim: 'sub'},
        extra: [{key: 'example.com/tenant'}],
      },
      userRules: [{message: 'no admins'}],
    });
  });

  test('anonymous that is disabled', () => {
    const text = `${withIssuer({})}anonymous: {enabled: false}\n`;
    expect(parseConfiguration(text, undefined).jwt).toHaveLength(1);
  });

  test.each([
    ['without mappings', {claimMappings: undefined}],
    ['with the mapping of kube-apiserver written out', {claimMappings: {username: {claim: 'sub', prefix: ''}}}],
  ])("the cluster's own issuer %s", (_, change) => {
    const text = withIssuer({issuer: {url: cluster, audiences: ['lockkeeper']}, ...change});
    expect(parseConfiguration(text, cluster).jwt[0]?.mappings).toEqual({kind: 'ServiceAccount'});
  });
});

describe('refuses, naming the field', () => {
  const issuer = (change: object) => withIssuer({issuer: {...oidc.issuer, ...change}});
  const username = (value: object) => withMappings({username: value});
  const rules = (...claimValidationRules: object[]) => withIssuer({claimValidationRules});
  const duplicate = withJWT([oidc, oidc]);

  test.each([
    ['no YAML', '{', 'not valid YAML'],
    ['two documents', `${withIssuer({})}---\n${withIssuer({})}`, 'not valid YAML'],
    ['a field that is there twice', `${withIssuer({})}kind: AuthenticationConfiguration\n`, 'not valid YAML'],
    ['an empty file', '', 'must be a mapping, not nothing'],
    ['another apiVersion', withIssuer({}).replace('/v1', '/v2'), 'apiVersion: must be'],
    ['another kind', withIssuer({}).replace('kind: Auth', 'kind: X'), 'kind: must be'],
    ['an unknown field', withIssuer({claimMapping: {}}), 'jwt[0].claimMapping: unknown field; there are issuer'],
    ['an unknown field deep down', issuer({audience: 'x'}), 'jwt[0].issuer.audience: unknown field'],
    ['no issuers', withJWT([]), 'jwt: must list at least one issuer'],
    ['issuers that are no list', withJWT({}), 'jwt: must be a list, not a mapping'],
    ['anonymous enabled', `${withIssuer({})}anonymous: {enabled: true}\n`, 'anonymous.enabled: must be false'],
    ['anonymous without a word', `${withIssuer({})}anonymous: {}\n`, 'anonymous.enabled: must be false'],
    ['no issuer', withIssuer({issuer: undefined}), 'jwt[0].issuer: is required'],
    ['no issuer URL', issuer({url: undefined}), 'jwt[0].issuer.url: is required'],
    ['an empty issuer URL', issuer({url: ''}), 'jwt[0].issuer.url: is required'],
    ['an issuer URL of another type', issuer({url: 5}), 'jwt[0].issuer.url: must be a text, not the number 5'],
    ['an issuer that is no URL', issuer({url: 'example'}), 'jwt[0].issuer.url: must be a URL'],
    ['an http issuer', issuer({url: 'http://issuer.example.com'}), 'jwt[0].issuer.url: must begin with https://'],
    ['a password', issuer({url: 'https://a:b@issuer.example.com'}), 'jwt[0].issuer.url: must not hold a username'],
    ['a query', issuer({url: 'https://issuer.example.com?a'}), 'jwt[0].issuer.url: must not have a query'],
    ['a fragment', issuer({url: 'https://issuer.example.com#a'}), 'jwt[0].issuer.url: must not have a fragment'],
    ['an issuer twice', duplicate, 'jwt[1].issuer.url: https://issuer.example.com is there twice'],
    ['an equal discoveryURL', issuer({discoveryURL: `${oidc.issuer.url}/`}), 'discoveryURL: must be another URL'],
    ['an http discoveryURL', issuer({discoveryURL: 'http://x.example.com'}), 'discoveryURL: must begin with https://'],
    ['no audiences', issuer({audiences: []}), 'jwt[0].issuer.audiences: must list at least one'],
    ['an empty audience', issuer({audiences: ['']}), 'jwt[0].issuer.audiences[0]: must be a text'],
    ['an audience twice', issuer({audiences: ['a', 'a']}), 'jwt[0].issuer.audiences[1]: a is there twice'],
    [
      'several audiences without a policy',
      issuer({audiences: ['a', 'b']}),
      'audienceMatchPolicy: must be MatchAny where',
    ],
    ['an unknown policy', issuer({audienceMatchPolicy: 'MatchAll'}), 'audienceMatchPolicy: must be MatchAny, not'],
    ['an authority that is no PEM', issuer({certificateAuthority: '/ca.crt'}), 'must hold PEM certificates'],
    [
      'an authority that cannot be read',
      issuer({certificateAuthority: '-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n'}),
      'certificateAuthority: holds a certificate that cannot be read',
    ],
    ['an egress selector', issuer({egressSelectorType: 'cluster'}), 'egressSelectorType: is not supported'],
    ['no mappings', withIssuer({claimMappings: undefined}), 'jwt[0].claimMappings: is required'],
    ['no username', withIssuer({claimMappings: {}}), 'claimMappings.username: is required'],
    ['an empty username', username({}), 'claimMappings.username: claim or expression is required'],
    [
      'a username from both',
      username({claim: 'a', expression: 'claims.a'}),
      'username: claim and expression cannot both',
    ],
    ['an empty username prefix', username({claim: 'sub', prefix: ''}), 'username.prefix: must not be empty'],
    ['a reserved username prefix', username({claim: 'sub', prefix: 'system:'}), 'username.prefix: must not begin with'],
    [
      'a prefix beside an expression',
      username({expression: 'claims.a', prefix: 'x'}),
      'username.prefix: cannot be set',
    ],
    ['an expression that does not parse', username({expression: '1 +'}), 'username.expression: is no valid CEL'],
    [
      'an expression of another type',
      username({expression: '1'}),
      'username.expression: is no valid CEL expression: must',
    ],
    ['an unknown variable', username({expression: 'user.username'}), 'username.expression: is no valid CEL'],
    ['an unknown function', username({expression: 'f(claims.sub)'}), 'username.expression: is no valid CEL'],
    [
      'an unverified email',
      username({expression: "'agent:' + claims.email"}),
      'claims.email_verified must be used too',
    ],
    ['groups without a prefix', withMappings({groups: {claim: 'g'}}), 'groups.prefix: is required beside claim'],
    ['reserved groups', withMappings({groups: {claim: 'g', prefix: 'system:'}}), 'groups.prefix: must not begin with'],
    ['groups that are bool', withMappings({groups: {expression: 'true'}}), 'groups.expression: is no valid CEL'],
    [
      'a uid from both',
      withMappings({uid: {claim: 'a', expression: 'claims.a'}}),
      'uid: claim and expression cannot both',
    ],
    ['an extra without a key', withMappings({extra: [{valueExpression: 'claims.a'}]}), 'extra[0].key: is required'],
    [
      'an extra without a domain',
      withMappings({extra: [{key: 'tenant', valueExpression: 'claims.a'}]}),
      'extra[0].key: must be a lower-case domain',
    ],
    [
      'an extra in upper case',
      withMappings({extra: [{key: 'example.com/Tenant', valueExpression: 'claims.a'}]}),
      'extra[0].key: must be a lower-case domain',
    ],
    [
      'an extra of Kubernetes',
      withMappings({extra: [{key: 'authentication.kubernetes.io/x', valueExpression: 'claims.a'}]}),
      'extra[0].key: must not be in kubernetes.io',
    ],
    [
      'an extra twice',
      withMappings({extra: Array(2).fill({key: 'example.com/a', valueExpression: 'claims.a'})}),
      'extra[1].key: example.com/a is there twice',
    ],
    ['an extra without an expression', withMappings({extra: [{key: 'example.com/a'}]}), 'valueExpression: is required'],
    ['a rule without anything', rules({}), 'claimValidationRules[0]: claim or expression is required'],
    ['a rule with both', rules({claim: 'a', expression: 'true'}), 'claimValidationRules[0]: claim and expression'],
    ['a value beside an expression', rules({expression: 'true', requiredValue: 'x'}), 'requiredValue: cannot be set'],
    ['a message beside a claim', rules({claim: 'a', message: 'x'}), 'claimValidationRules[0].message: cannot be set'],
    [
      'a required value of another type',
      rules({claim: 'a', requiredValue: true}),
      'must be a text, not the boolean true',
    ],
    ['a claim twice', rules({claim: 'a'}, {claim: 'a'}), 'claimValidationRules[1].claim: is there twice'],
    ['an expression twice', rules({expression: 'true'}, {expression: 'true'}), '[1].expression: is there twice'],
    ['a rule that is no bool', rules({expression: "'a'"}), 'claimValidationRules[0].expression: is no valid CEL'],
    [
      'a user rule over claims',
      withIssuer({userValidationRules: [{expression: 'claims.a'}]}),
      'userValidationRules[0].expression: is no valid CEL',
    ],
    [
      'a user rule with an unknown field',
      withIssuer({userValidationRules: [{expression: "user.name == ''"}]}),
      'user has no field name',
    ],
  ])('%s', (_, text, problem) => {
    expect(() => parseConfiguration(text, undefined)).toThrow(ConfigurationError);
    expect(() => parseConfiguration(text, undefined)).toThrow(problem);
  });

  test.each([
    ['that the file does not list', withIssuer({}), 'jwt: must list the cluster'],
    [
      'whose names are mapped to others',
      withIssuer({issuer: {url: cluster, audiences: ['a']}, claimMappings: {username: {claim: 'email'}}}),
      'jwt[0].claimMappings: must be left out',
    ],
    [
      'whose groups are mapped',
      withIssuer({
        issuer: {url: cluster, audiences: ['a']},
        claimMappings: {username: {claim: 'sub', prefix: ''}, groups: {claim: 'g', prefix: ''}},
      }),
      'jwt[0].claimMappings: must be left out',
    ],
  ])("a cluster's own issuer %s", (_, text, problem) => {
    expect(() => parseConfiguration(text, cluster)).toThrow(problem);
  });

  test('every problem at once', () => {
    const text = withIssuer({issuer: {}, claimMappings: {username: {}}});
    try {
      parseConfiguration(text, undefined);
    } catch (error) {
      expect((error as ConfigurationError).problems).toHaveLength(3);
    }
    expect.assertions(1);
  });
});

test('whatever the file holds, it is taken or refused with its own error', () => {
  const field = fc.constantFrom(
    'issuer',
    'url',
    'audiences',
    'claimMappings',
    'username',
    'claim',
    'prefix',
    'expression',
  );
  const {tree} = fc.letrec((tie) => ({
    tree: fc.oneof(
      {maxDepth: 4},
      fc.string(),
      fc.constant(null),
      fc.array(tie('tree')),
      fc.dictionary(field, tie('tree')),
    ),
  }));
  fc.assert(
    fc.property(fc.oneof(fc.string(), tree.map(withJWT)), (text) => {
      try {
        parseConfiguration(text, undefined);
      } catch (error) {
        expect(error).toBeInstanceOf(ConfigurationError);
      }
    }),
  );
});
