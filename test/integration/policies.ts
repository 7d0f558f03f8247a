export type Fields = Record<string, unknown>;

/** Every field and effect that there is. */
export const fullSpec: Fields = {
  enforcementMode: 'DryRun',
  subjects: [
    {kind: 'Group', name: 'ai-agents'},
    {kind: 'User', name: '*'},
    {kind: 'ServiceAccount', name: 'builder', namespace: 'payments'},
    {kind: 'ServiceAccount', name: '*', namespace: '*'},
  ],
  rules: [
    {
      name: 'read',
      effect: 'Allow',
      operations: [
        {
          verbs: ['get', 'list', 'watch'],
          apiGroups: ['', 'apps', 'cert-manager.io'],
          resources: ['pods', 'deployments'],
          subresources: ['', 'log', 'status'],
          resourceNames: ['web', 'system:thing'],
          namespaces: ['', 'payments', 'team-*', '*'],
        },
        {verbs: ['*'], apiGroups: ['*'], resources: ['*'], subresources: ['*']},
        {verbs: ['get', 'head'], nonResourceURLs: ['/version', '/openapi/*', '/*']},
      ],
      conditions: [{name: 'no-wide-lists', expression: "request.verb != 'list'"}],
      message: 'Ask first.',
    },
    {name: 'deny', effect: 'Deny', operations: [operation({})]},
    {
      name: 'ask',
      effect: 'RequireApproval',
      operations: [operation({subresources: ['exec']})],
      approval: {
        approvers: {groups: ['payments-oncall'], users: ['alice']},
        count: 2,
        expireAfter: '1h30m',
        grant: 'Window',
        wait: '30s',
      },
    },
  ],
  masking: [
    {
      name: 'cards',
      detector: 'PAN',
      show: 'None',
      longDigitRuns: true,
      decode: ['Base64'],
      exemptions: [
        {
          namespaces: ['payments', 'team-*'],
          resources: [{apiGroups: ['*'], resources: ['pods'], subresources: ['log', '']}],
          fields: ['data.*', "spec.containers[*].env[*]['value']", 'metadata.annotations["example.com/card"]'],
        },
        {namespaces: ['ci']},
      ],
    },
    {name: 'nowhere', detector: 'PAN', unexpected: true, exemptions: [{namespaces: ['payments']}]},
    {name: 'tracks', detector: 'TrackData', decode: []},
    {name: 'codes', detector: 'CardVerificationCode'},
    {name: 'tokens', detector: 'Regex', regex: {pattern: 'tok_[a-z0-9]{24}'}},
    {
      name: 'values',
      detector: 'Field',
      field: {
        resources: [
          {apiGroups: [''], resources: ['secrets', 'configmaps']},
          {apiGroups: ['*'], resources: ['*']},
        ],
        paths: ['data.*', 'metadata.annotations', 'metadata.labels["example.com/owner"]', 'spec.a_b-c[*][*].*'],
        action: 'Remove',
      },
      exemptions: [{resources: [{apiGroups: [''], resources: ['configmaps']}]}],
    },
  ],
  audit: {level: 'RequestResponse'},
};

export function policy(spec: Fields, name = 'example'): Fields {
  return {
    apiVersion: 'lockkeeper.dev/v1alpha1',
    kind: 'AgentAccessPolicy',
    metadata: {name, namespace: 'default'},
    spec: {subjects: [{kind: 'Group', name: 'ai-agents'}], ...spec},
  };
}

export function withSubject(subject: Fields): Fields {
  return policy({subjects: [subject]});
}

export function withRule(rule: Fields): Fields {
  return policy({rules: [{name: 'rule', effect: 'Allow', operations: [operation({})], ...rule}]});
}

export function operation(fields: Fields): Fields {
  return {verbs: ['get'], apiGroups: [''], resources: ['pods'], ...fields};
}

export function withOperation(fields: Fields): Fields {
  return withRule({operations: [operation(fields)]});
}

export function withApproval(approval: Fields): Fields {
  return withRule({effect: 'RequireApproval', approval});
}

export function withMasking(entry: Fields): Fields {
  return policy({masking: [{name: 'x', detector: 'PAN', ...entry}]});
}

/** A masking entry of the detector Field. */
export function fieldMasking(field: Fields): Fields {
  const configMaps = {apiGroups: [''], resources: ['configmaps']};
  return {detector: 'Field', field: {resources: [configMaps], paths: ['data.*'], ...field}};
}

const unmaskedRule: Fields = {name: 'see', effect: 'Allow', operations: [operation({})], unmasked: true};

/** What is wrong, the policy, and part of what the API server says about it. */
export const wrongPolicies: [what: string, object: Fields, message: string][] = [
  ['no subjects field', policy({subjects: undefined}), 'spec.subjects: Required value'],
  ['empty subjects', policy({subjects: []}), 'spec.subjects in body should have at least 1 items'],
  [
    'an unknown subject kind',
    withSubject({kind: 'Robot', name: 'x'}),
    'supported values: "User", "Group", "ServiceAccount"',
  ],
  [
    'a subject prefix',
    withSubject({kind: 'User', name: 'agent:*'}),
    'spec.subjects[0].name: Invalid value: "agent:*": only "*" alone is a wildcard',
  ],
  [
    'a ServiceAccount without a namespace',
    withSubject({kind: 'ServiceAccount', name: 'x'}),
    'spec.subjects[0].namespace: Required value: a ServiceAccount subject needs the namespace',
  ],
  [
    'a group with a namespace',
    withSubject({kind: 'Group', name: 'x', namespace: 'payments'}),
    'spec.subjects[0].namespace: Forbidden: only a ServiceAccount has a namespace',
  ],
  [
    'a namespace that is no name',
    withSubject({kind: 'ServiceAccount', name: 'x', namespace: 'A b'}),
    'must be the name of a namespace',
  ],
  ['an unknown field', policy({rule: []}), 'unknown field "spec.rule"'],
  ['an unknown enforcement mode', policy({enforcementMode: 'Audit'}), 'supported values: "Enforce", "DryRun"'],
  [
    'an unknown effect',
    withRule({effect: 'Permit'}),
    'spec.rules[0].effect: Unsupported value: "Permit": supported values: "Allow", "Deny", "RequireApproval"',
  ],
  [
    'duplicate rule names',
    policy({rules: [1, 2].map(() => ({name: 'twice', effect: 'Deny', operations: [operation({})]}))}),
    'spec.rules[1]: Duplicate value: {"name":"twice"}',
  ],
  ['a rule name in capitals', withRule({name: 'Read'}), 'such as read-workloads'],
  [
    'a rule without operations',
    withRule({operations: []}),
    'spec.rules[0].operations in body should have at least 1 items',
  ],
  [
    'RequireApproval without approval',
    withRule({effect: 'RequireApproval'}),
    'spec.rules[0].approval: Required value: the effect RequireApproval needs approval',
  ],
  [
    'Deny with approval',
    withRule({effect: 'Deny', approval: {}}),
    'spec.rules[0].approval: Forbidden: only the effect RequireApproval takes approval',
  ],
  [
    'Allow with approval',
    withRule({approval: {}}),
    'spec.rules[0].approval: Forbidden: only the effect RequireApproval takes approval',
  ],
  [
    'a message that is too long',
    withRule({message: 'x'.repeat(1025)}),
    'spec.rules[0].message: Too long: may not be more than 1024',
  ],
  ['no verbs', withOperation({verbs: []}), 'verbs in body should have at least 1 items'],
  [
    'a verb that no request has',
    withOperation({verbs: ['connect']}),
    'spec.rules[0].operations[0].verbs: Invalid value',
  ],
  [
    'a verb that no request has, with what to use',
    withOperation({verbs: ['exec']}),
    'exec, attach and port-forward are get and create on the subresources',
  ],
  [
    'an HTTP method as the verb of a resource',
    withOperation({verbs: ['post']}),
    'for resources use get, list, watch, create',
  ],
  [
    'a resource verb for a path',
    withRule({operations: [{verbs: ['list'], nonResourceURLs: ['/version']}]}),
    'for nonResourceURLs use get, head, post',
  ],
  ['a verb twice', withOperation({verbs: ['get', 'get']}), 'verbs[1]: Duplicate value: "get"'],
  ['"*" beside other verbs', withOperation({verbs: ['get', '*']}), '"*" covers every verb: leave the others out'],
  [
    '"*" beside other groups',
    withOperation({apiGroups: ['apps', '*']}),
    '"*" covers every API group: leave the others out',
  ],
  [
    '"*" beside other resources',
    withOperation({resources: ['pods', '*']}),
    '"*" covers every resource: leave the others out',
  ],
  [
    '"*" beside other subresources',
    withOperation({subresources: ['', '*']}),
    '"*" covers the resource and every subresource: leave the others out',
  ],
  [
    'no apiGroups',
    withOperation({apiGroups: undefined}),
    'spec.rules[0].operations[0].apiGroups: Required value: an operation needs apiGroups and resources',
  ],
  [
    'no resources',
    withOperation({resources: []}),
    'spec.rules[0].operations[0].resources: Required value: an operation needs apiGroups and resources',
  ],
  [
    'resources and nonResourceURLs',
    withOperation({nonResourceURLs: ['/version']}),
    'spec.rules[0].operations[0].nonResourceURLs: Forbidden: an operation names either nonResourceURLs or resources, never both',
  ],
  [
    'namespaces and nonResourceURLs',
    withRule({operations: [{verbs: ['get'], nonResourceURLs: ['/version'], namespaces: ['a']}]}),
    'never both',
  ],
  ['a group with its version', withOperation({apiGroups: ['apps/v1']}), 'such as apps rather than apps/v1'],
  ['the core group by a name that it does not have', withOperation({apiGroups: ['core']}), 'is written ""'],
  ['a group in capitals', withOperation({apiGroups: ['Apps']}), 'must be a lower-case API group'],
  [
    'a resource with its subresource',
    withOperation({resources: ['pods/exec']}),
    'spec.rules[0].operations[0].resources[0]: Invalid value: "pods/exec": must not contain "/": name the subresource in subresources',
  ],
  ['a kind for a resource', withOperation({resources: ['Pod']}), 'must be a plural, lower-case resource name'],
  ['a subresource that is none', withOperation({subresources: ['exec/x']}), 'must be a subresource such as exec'],
  [
    'a wildcard in a resource name',
    withOperation({resourceNames: ['web-*']}),
    'resourceNames[0]: Invalid value: "web-*": must be the exact name of an object',
  ],
  [
    'a wildcard inside a namespace',
    withOperation({namespaces: ['a*b']}),
    'namespaces[0]: Invalid value: "a*b": must be the name of a namespace, a prefix',
  ],
  [
    'a path without its slash',
    withRule({operations: [{verbs: ['get'], nonResourceURLs: ['version']}]}),
    'must be a path that begins with "/"',
  ],
  [
    'a wildcard inside a path',
    withRule({operations: [{verbs: ['get'], nonResourceURLs: ['/a/*/b']}]}),
    '"*" may stand only at the end',
  ],
  [
    'a condition without a name',
    withRule({conditions: [{expression: 'true'}]}),
    'spec.rules[0].conditions[0].name: Required value',
  ],
  [
    'duplicate condition names',
    withRule({conditions: [1, 2].map(() => ({name: 'c', expression: 'true'}))}),
    'conditions[1]: Duplicate value: {"name":"c"}',
  ],
  [
    'empty approvers',
    withApproval({approvers: {}}),
    'spec.rules[0].approval.approvers: Required value: name at least one group or user',
  ],
  [
    'more approvals than approvers',
    withApproval({count: 2, approvers: {users: ['alice']}}),
    'more approvals are required than approvers.users names',
  ],
  ['no approvals needed', withApproval({count: 0}), 'should be greater than or equal to 1'],
  [
    'an expiry that is no duration',
    withApproval({expireAfter: '15'}),
    'spec.rules[0].approval.expireAfter: Invalid value: "15": must be a duration from 1m to 24h',
  ],
  ['an expiry that is too short', withApproval({expireAfter: '59s'}), 'must be a duration from 1m to 24h'],
  ['an expiry that is too long', withApproval({expireAfter: '24h1s'}), 'must be a duration from 1m to 24h'],
  ['an empty expiry', withApproval({expireAfter: ''}), 'must be a duration from 1m to 24h'],
  [
    'a wait that is too long',
    withApproval({wait: '5m1s'}),
    'spec.rules[0].approval.wait: Invalid value: "5m1s": must be a duration from 0s to 5m',
  ],
  ['a negative wait', withApproval({wait: '-1s'}), 'must be a duration from 0s to 5m'],
  ['an unknown grant', withApproval({grant: 'Forever'}), 'supported values: "Once", "Window"'],
  [
    'an unknown detector',
    withMasking({detector: 'IBAN'}),
    'supported values: "PAN", "TrackData", "CardVerificationCode", "Regex", "Field"',
  ],
  [
    'digits to show of what is no card number',
    withMasking({detector: 'TrackData', show: 'LastFour'}),
    'spec.masking[0].show: Forbidden: only the detector PAN leaves digits readable',
  ],
  [
    'more digits to show than may be',
    withMasking({show: 'FirstEight'}),
    'supported values: "None", "LastFour", "First',
  ],
  [
    'long digit runs with another detector',
    withMasking({detector: 'CardVerificationCode', longDigitRuns: true}),
    'spec.masking[0].longDigitRuns: Forbidden: only the detector PAN looks into long digit runs',
  ],
  [
    'what is unexpected of another detector',
    withMasking({detector: 'TrackData', unexpected: true}),
    'spec.masking[0].unexpected: Forbidden: only card numbers',
  ],
  ['an unknown encoding', withMasking({decode: ['Gzip']}), 'spec.masking[0].decode[0]: Unsupported value: "Gzip"'],
  [
    'an encoding to look into for members',
    withMasking({...fieldMasking({}), decode: ['Base64']}),
    'spec.masking[0].decode: Forbidden: what patterns match and members hold is hidden as it stands',
  ],
  [
    'Regex without a pattern',
    withMasking({detector: 'Regex'}),
    'spec.masking[0].regex: Required value: the detector Regex needs regex',
  ],
  [
    'a pattern with another detector',
    withMasking({regex: {pattern: 'a'}}),
    'spec.masking[0].regex: Forbidden: only the detector Regex takes regex',
  ],
  ['an empty pattern', withMasking({detector: 'Regex', regex: {pattern: ''}}), 'should be at least 1 chars long'],
  [
    'Field without members',
    withMasking({detector: 'Field'}),
    'the detector Field needs field with the members to hide',
  ],
  [
    'members with another detector',
    withMasking({...fieldMasking({}), detector: 'PAN'}),
    'only the detector Field takes field',
  ],
  ['Field without paths', withMasking(fieldMasking({paths: []})), 'field.paths in body should have at least 1 items'],
  ['Field without resources', withMasking(fieldMasking({resources: undefined})), 'field.resources: Required value'],
  [
    'Field of resources with a version',
    withMasking(fieldMasking({resources: [{apiGroups: ['apps/v1'], resources: ['deployments']}]})),
    'must be a lower-case API group without its version',
  ],
  ['an unknown action', withMasking(fieldMasking({action: 'Hash'})), 'supported values: "Mask", "Remove"'],
  ...[
    '$.data',
    '.data',
    '*',
    'data..x',
    'data[0]',
    'data[x]',
    'data["a',
    'data["a*"]',
    'data[\'a"]',
    'a b',
    'data.',
  ].map((path): [string, Fields, string] => [
    `a path ${path}`,
    withMasking(fieldMasking({paths: [path]})),
    'spec.masking[0].field.paths[0]: Invalid value',
  ]),
  ...['apiVersion', 'kind', 'metadata', 'metadata.name', 'metadata.*', 'metadata["uid"]'].map(
    (path): [string, Fields, string] => [
      `the member ${path} hidden`,
      withMasking(fieldMasking({paths: [path]})),
      'apiVersion, kind and metadata stay',
    ],
  ),
  [
    'an exemption of everything',
    withMasking({exemptions: [{}]}),
    'spec.masking[0].exemptions[0]: Required value: an exemption',
  ],
  [
    'an empty exemption',
    withMasking({exemptions: [{fields: []}]}),
    'an exemption needs namespaces, resources or fields',
  ],
  [
    'an exemption of cluster scope',
    withMasking({exemptions: [{namespaces: ['']}]}),
    'exemptions[0].namespaces[0] in body should be at least 1 chars long',
  ],
  [
    'an exemption of members that is no path',
    withMasking({exemptions: [{fields: ['.spec']}]}),
    'spec.masking[0].exemptions[0].fields[0]: Invalid value: ".spec": must be a path such as',
  ],
  [
    'an exemption of a resource with its subresource',
    withMasking({exemptions: [{resources: [{apiGroups: [''], resources: ['pods/log']}]}]}),
    'must be a plural, lower-case resource name',
  ],
  [
    'members that are hidden and exempt',
    withMasking({...fieldMasking({}), exemptions: [{fields: ['data.x']}]}),
    'spec.masking[0].exemptions: Forbidden: a Field entry names its members itself',
  ],
  [
    'members in which card numbers are not unexpected',
    withMasking({unexpected: true, exemptions: [{fields: ['data.x']}]}),
    'spec.masking[0].exemptions: Forbidden: an entry with unexpected exempts namespaces and resources only',
  ],
  [
    'a Deny that is unmasked',
    withRule({effect: 'Deny', unmasked: true}),
    'spec.rules[0].unmasked: Forbidden: a Deny shows nothing',
  ],
  [
    'an unmasked rule for everybody',
    policy({subjects: [{kind: 'User', name: '*'}], rules: [unmaskedRule]}),
    'spec.subjects: Invalid value: a policy with a rule that shows answers unmasked names its subjects',
  ],
  [
    'an unmasked rule for the ServiceAccounts of any namespace',
    policy({subjects: [{kind: 'ServiceAccount', name: 'default', namespace: '*'}], rules: [unmaskedRule]}),
    'names its subjects',
  ],
  [
    'duplicate masking names',
    policy({masking: [1, 2].map(() => ({name: 'x', detector: 'PAN'}))}),
    'spec.masking[1]: Duplicate value: {"name":"x"}',
  ],
  [
    'an unknown audit level',
    policy({audit: {level: 'None'}}),
    'supported values: "Metadata", "Request", "RequestResponse"',
  ],
  ['audit without a level', policy({audit: {}}), 'spec.audit.level: Required value'],
];
