// Generated from crds/agentaccesspolicies.yaml by `npm run generate`. Do not edit.
import type {Schema} from '../schema/schema.ts';

export const agentAccessPolicySchema: Schema = {
  type: 'object',
  required: ['spec'],
  properties: {
    apiVersion: {type: 'string'},
    kind: {type: 'string'},
    metadata: {type: 'object'},
    spec: {
      type: 'object',
      required: ['subjects'],
      properties: {
        enforcementMode: {type: 'string', enum: ['Enforce', 'DryRun'], default: 'Enforce'},
        subjects: {
          type: 'array',
          minItems: 1,
          maxItems: 64,
          'x-kubernetes-list-type': 'atomic',
          items: {
            type: 'object',
            required: ['kind', 'name'],
            properties: {
              kind: {type: 'string', enum: ['User', 'Group', 'ServiceAccount']},
              name: {
                type: 'string',
                minLength: 1,
                maxLength: 256,
                'x-kubernetes-validations': [
                  {
                    rule: "self == '*' || !self.contains('*')",
                    message: 'only "*" alone is a wildcard here; give the exact name, or "*" for any',
                  },
                ],
              },
              namespace: {
                type: 'string',
                maxLength: 63,
                'x-kubernetes-validations': [
                  {
                    rule: "self == '*' || self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",
                    message: 'must be the name of a namespace, such as payments, or "*" for any',
                  },
                ],
              },
            },
            'x-kubernetes-validations': [
              {
                rule: "self.kind != 'ServiceAccount' || has(self.namespace)",
                fieldPath: '.namespace',
                message: 'a ServiceAccount subject needs the namespace that it lives in',
              },
              {
                rule: "self.kind == 'ServiceAccount' || !has(self.namespace)",
                fieldPath: '.namespace',
                message: 'only a ServiceAccount has a namespace; remove it, or set kind to ServiceAccount',
              },
            ],
          },
        },
        rules: {
          type: 'array',
          maxItems: 64,
          'x-kubernetes-list-type': 'map',
          'x-kubernetes-list-map-keys': ['name'],
          items: {
            type: 'object',
            required: ['name', 'effect', 'operations'],
            properties: {
              name: {
                type: 'string',
                minLength: 1,
                maxLength: 63,
                'x-kubernetes-validations': [
                  {
                    rule: "self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",
                    message:
                      'must be lower-case letters, digits and "-", and begin and end with a letter or digit, such as read-workloads',
                  },
                ],
              },
              effect: {type: 'string', enum: ['Allow', 'Deny', 'RequireApproval']},
              operations: {
                type: 'array',
                minItems: 1,
                maxItems: 16,
                'x-kubernetes-list-type': 'atomic',
                items: {
                  type: 'object',
                  required: ['verbs'],
                  properties: {
                    verbs: {
                      type: 'array',
                      minItems: 1,
                      maxItems: 16,
                      'x-kubernetes-list-type': 'set',
                      items: {type: 'string', maxLength: 32},
                    },
                    apiGroups: {
                      type: 'array',
                      maxItems: 16,
                      'x-kubernetes-list-type': 'set',
                      items: {
                        type: 'string',
                        maxLength: 253,
                        'x-kubernetes-validations': [
                          {
                            rule: "!self.contains('/')",
                            message: 'must be an API group without its version, such as apps rather than apps/v1',
                          },
                          {
                            rule: "!(self in ['core', 'v1'])",
                            message: 'the core group (pods, secrets, configmaps, ...) is written ""',
                          },
                          {
                            rule: "self == '*' || self.matches('^[a-z0-9./-]*$')",
                            message:
                              'must be a lower-case API group such as apps or cert-manager.io, "" for the core group, or "*" for all',
                          },
                        ],
                      },
                    },
                    resources: {
                      type: 'array',
                      maxItems: 64,
                      'x-kubernetes-list-type': 'set',
                      items: {
                        type: 'string',
                        minLength: 1,
                        maxLength: 63,
                        'x-kubernetes-validations': [
                          {
                            rule: "!self.contains('/')",
                            message:
                              'must not contain "/": name the subresource in subresources, for example resources: [pods] with subresources: [exec]',
                          },
                          {
                            rule: "self == '*' || self.matches('^[a-z0-9/-]+$')",
                            message: 'must be a plural, lower-case resource name such as pods, or "*" for all',
                          },
                        ],
                      },
                    },
                    subresources: {
                      type: 'array',
                      maxItems: 32,
                      'x-kubernetes-list-type': 'set',
                      items: {
                        type: 'string',
                        maxLength: 63,
                        'x-kubernetes-validations': [
                          {
                            rule: "self == '' || self == '*' || self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",
                            message:
                              'must be a subresource such as exec, "" for the resource itself, or "*" for the resource and all its subresources',
                          },
                        ],
                      },
                    },
                    resourceNames: {
                      type: 'array',
                      maxItems: 64,
                      'x-kubernetes-list-type': 'set',
                      items: {
                        type: 'string',
                        minLength: 1,
                        maxLength: 253,
                        'x-kubernetes-validations': [
                          {
                            rule: "!self.contains('*')",
                            message:
                              'must be the exact name of an object: there are no wildcards; leave resourceNames out to match any name',
                          },
                        ],
                      },
                    },
                    namespaces: {
                      type: 'array',
                      maxItems: 32,
                      'x-kubernetes-list-type': 'set',
                      items: {
                        type: 'string',
                        maxLength: 64,
                        'x-kubernetes-validations': [
                          {
                            rule: "self.matches('^([a-z0-9][-a-z0-9]*)?[*]?$')",
                            message:
                              'must be the name of a namespace, a prefix with a trailing "*" such as team-*, or "" for cluster scope and all namespaces',
                          },
                        ],
                      },
                    },
                    nonResourceURLs: {
                      type: 'array',
                      maxItems: 32,
                      'x-kubernetes-list-type': 'set',
                      items: {
                        type: 'string',
                        minLength: 1,
                        maxLength: 128,
                        'x-kubernetes-validations': [
                          {
                            rule: "self.matches('^/[^*?]*[*]?$')",
                            message:
                              'must be a path that begins with "/", without a query; "*" may stand only at the end, as in /openapi/*',
                          },
                        ],
                      },
                    },
                  },
                  'x-kubernetes-validations': [
                    {
                      rule: '!(has(self.nonResourceURLs) && size(self.nonResourceURLs) > 0) || !((has(self.apiGroups) && size(self.apiGroups) > 0) || (has(self.resources) && size(self.resources) > 0) || (has(self.subresources) && size(self.subresources) > 0) || (has(self.resourceNames) && size(self.resourceNames) > 0) || (has(self.namespaces) && size(self.namespaces) > 0))',
                      fieldPath: '.nonResourceURLs',
                      message:
                        'an operation names either nonResourceURLs or resources, never both: split it into two operations',
                    },
                    {
                      rule: '(has(self.nonResourceURLs) && size(self.nonResourceURLs) > 0) || (has(self.apiGroups) && size(self.apiGroups) > 0)',
                      fieldPath: '.apiGroups',
                      message:
                        'an operation needs apiGroups and resources (apiGroups: [""] is the core group), or nonResourceURLs',
                    },
                    {
                      rule: '(has(self.nonResourceURLs) && size(self.nonResourceURLs) > 0) || (has(self.resources) && size(self.resources) > 0)',
                      fieldPath: '.resources',
                      message:
                        'an operation needs apiGroups and resources (resources: ["*"] is all of them), or nonResourceURLs',
                    },
                    {
                      rule: "(has(self.nonResourceURLs) && size(self.nonResourceURLs) > 0) || self.verbs.all(v, v in ['get', 'list', 'watch', 'create', 'update', 'patch', 'delete', 'deletecollection', '*'])",
                      fieldPath: '.verbs',
                      message:
                        'for resources use get, list, watch, create, update, patch, delete, deletecollection or "*" (exec, attach and port-forward are get and create on the subresources exec, attach and portforward of pods)',
                    },
                    {
                      rule: "!(has(self.nonResourceURLs) && size(self.nonResourceURLs) > 0) || self.verbs.all(v, v in ['get', 'head', 'post', 'put', 'patch', 'delete', 'options', '*'])",
                      fieldPath: '.verbs',
                      message: 'for nonResourceURLs use get, head, post, put, patch, delete, options or "*"',
                    },
                    {
                      rule: "size(self.verbs) == 1 || !('*' in self.verbs)",
                      fieldPath: '.verbs',
                      message: '"*" covers every verb: leave the others out',
                    },
                    {
                      rule: "!has(self.apiGroups) || size(self.apiGroups) == 1 || !('*' in self.apiGroups)",
                      fieldPath: '.apiGroups',
                      message: '"*" covers every API group: leave the others out',
                    },
                    {
                      rule: "!has(self.resources) || size(self.resources) == 1 || !('*' in self.resources)",
                      fieldPath: '.resources',
                      message: '"*" covers every resource: leave the others out',
                    },
                    {
                      rule: "!has(self.subresources) || size(self.subresources) == 1 || !('*' in self.subresources)",
                      fieldPath: '.subresources',
                      message: '"*" covers the resource and every subresource: leave the others out',
                    },
                  ],
                },
              },
              conditions: {
                type: 'array',
                maxItems: 16,
                'x-kubernetes-list-type': 'map',
                'x-kubernetes-list-map-keys': ['name'],
                items: {
                  type: 'object',
                  required: ['name', 'expression'],
                  properties: {
                    name: {
                      type: 'string',
                      minLength: 1,
                      maxLength: 63,
                      'x-kubernetes-validations': [
                        {
                          rule: "self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",
                          message:
                            'must be lower-case letters, digits and "-", and begin and end with a letter or digit, such as no-wide-lists',
                        },
                      ],
                    },
                    expression: {type: 'string', minLength: 1, maxLength: 4096},
                  },
                },
              },
              message: {type: 'string', maxLength: 1024},
              unmasked: {type: 'boolean'},
              approval: {
                type: 'object',
                properties: {
                  approvers: {
                    type: 'object',
                    properties: {
                      groups: {
                        type: 'array',
                        maxItems: 32,
                        'x-kubernetes-list-type': 'set',
                        items: {type: 'string', minLength: 1, maxLength: 256},
                      },
                      users: {
                        type: 'array',
                        maxItems: 32,
                        'x-kubernetes-list-type': 'set',
                        items: {type: 'string', minLength: 1, maxLength: 256},
                      },
                    },
                    'x-kubernetes-validations': [
                      {
                        rule: '(has(self.groups) && size(self.groups) > 0) || (has(self.users) && size(self.users) > 0)',
                        message:
                          'name at least one group or user; leave approvers out to accept everyone who holds the RBAC verb approve',
                      },
                    ],
                  },
                  count: {type: 'integer', minimum: 1, maximum: 16, default: 1},
                  expireAfter: {
                    type: 'string',
                    maxLength: 16,
                    default: '15m',
                    'x-kubernetes-validations': [
                      {
                        rule: "size(self) > 0 && self.matches('^([0-9]{1,5}h)?([0-9]{1,5}m)?([0-9]{1,5}s)?$') && duration(self) >= duration('1m') && duration(self) <= duration('24h')",
                        message: 'must be a duration from 1m to 24h, such as 15m or 1h30m',
                      },
                    ],
                  },
                  grant: {type: 'string', enum: ['Once', 'Window'], default: 'Once'},
                  wait: {
                    type: 'string',
                    maxLength: 16,
                    default: '0s',
                    'x-kubernetes-validations': [
                      {
                        rule: "size(self) > 0 && self.matches('^([0-9]{1,5}h)?([0-9]{1,5}m)?([0-9]{1,5}s)?$') && duration(self) <= duration('5m')",
                        message: 'must be a duration from 0s to 5m, such as 30s',
                      },
                    ],
                  },
                },
                'x-kubernetes-validations': [
                  {
                    rule: '!has(self.approvers) || (has(self.approvers.groups) && size(self.approvers.groups) > 0) || !has(self.approvers.users) || size(self.approvers.users) >= self.count',
                    fieldPath: '.count',
                    message:
                      'more approvals are required than approvers.users names: name more users or a group, or lower count',
                  },
                ],
              },
            },
            'x-kubernetes-validations': [
              {
                rule: "self.effect != 'RequireApproval' || has(self.approval)",
                fieldPath: '.approval',
                message:
                  'the effect RequireApproval needs approval to say who approves; write approval: {} to accept anyone who holds the RBAC verb approve on accessrequests',
              },
              {
                rule: "self.effect == 'RequireApproval' || !has(self.approval)",
                fieldPath: '.approval',
                message:
                  'only the effect RequireApproval takes approval: set effect to RequireApproval, or remove approval',
              },
              {
                rule: "self.effect != 'Deny' || !has(self.unmasked)",
                fieldPath: '.unmasked',
                message: 'a Deny shows nothing: set effect to Allow or RequireApproval, or remove unmasked',
              },
            ],
          },
        },
        masking: {
          type: 'array',
          maxItems: 16,
          'x-kubernetes-list-type': 'map',
          'x-kubernetes-list-map-keys': ['name'],
          items: {
            type: 'object',
            required: ['name', 'detector'],
            properties: {
              name: {
                type: 'string',
                minLength: 1,
                maxLength: 63,
                'x-kubernetes-validations': [
                  {
                    rule: "self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",
                    message:
                      'must be lower-case letters, digits and "-", and begin and end with a letter or digit, such as cards',
                  },
                ],
              },
              detector: {type: 'string', enum: ['PAN', 'TrackData', 'CardVerificationCode', 'Regex', 'Field']},
              show: {type: 'string', enum: ['None', 'LastFour', 'FirstSixLastFour']},
              longDigitRuns: {type: 'boolean'},
              unexpected: {type: 'boolean'},
              decode: {
                type: 'array',
                maxItems: 4,
                'x-kubernetes-list-type': 'set',
                items: {type: 'string', enum: ['Base64']},
              },
              regex: {
                type: 'object',
                required: ['pattern'],
                properties: {pattern: {type: 'string', minLength: 1, maxLength: 1024}},
              },
              field: {
                type: 'object',
                required: ['resources', 'paths'],
                properties: {
                  resources: {
                    type: 'array',
                    minItems: 1,
                    maxItems: 16,
                    'x-kubernetes-list-type': 'atomic',
                    items: {
                      type: 'object',
                      required: ['apiGroups', 'resources'],
                      properties: {
                        apiGroups: {
                          type: 'array',
                          minItems: 1,
                          maxItems: 16,
                          'x-kubernetes-list-type': 'set',
                          items: {
                            type: 'string',
                            maxLength: 253,
                            'x-kubernetes-validations': [
                              {
                                rule: "self == '*' || (self.matches('^[a-z0-9.-]*$') && !(self in ['core', 'v1']))",
                                message:
                                  'must be a lower-case API group without its version, such as apps or cert-manager.io, "" for the core group, or "*" for all',
                              },
                            ],
                          },
                        },
                        resources: {
                          type: 'array',
                          minItems: 1,
                          maxItems: 64,
                          'x-kubernetes-list-type': 'set',
                          items: {
                            type: 'string',
                            minLength: 1,
                            maxLength: 63,
                            'x-kubernetes-validations': [
                              {
                                rule: "self == '*' || self.matches('^[a-z0-9-]+$')",
                                message: 'must be a plural, lower-case resource name such as pods, or "*" for all',
                              },
                            ],
                          },
                        },
                      },
                    },
                  },
                  paths: {
                    type: 'array',
                    minItems: 1,
                    maxItems: 32,
                    'x-kubernetes-list-type': 'set',
                    items: {
                      type: 'string',
                      minLength: 1,
                      maxLength: 256,
                      'x-kubernetes-validations': [
                        {
                          rule: "self.matches('^[A-Za-z0-9_-]+([.]([A-Za-z0-9_-]+|[*])|\\\\[([*]|\"[^\"*]+\"|\\'[^\\'*]+\\')\\\\])*$')",
                          message:
                            'must be a path such as data.*, spec.containers[*].env[*].value or metadata.annotations["example.com/card"], and begin with the name of a member',
                        },
                        {
                          rule: "!self.matches('^(apiVersion|kind|metadata)([.\\\\[]|$)') || self.matches('^metadata[.](annotations|labels|managedFields)([.\\\\[]|$)')",
                          message:
                            'apiVersion, kind and metadata stay, or clients could not read the object; of metadata only annotations, labels and managedFields can be hidden',
                        },
                      ],
                    },
                  },
                  action: {type: 'string', enum: ['Mask', 'Remove'], default: 'Mask'},
                },
              },
              exemptions: {
                type: 'array',
                maxItems: 8,
                'x-kubernetes-list-type': 'atomic',
                items: {
                  type: 'object',
                  properties: {
                    namespaces: {
                      type: 'array',
                      maxItems: 32,
                      'x-kubernetes-list-type': 'set',
                      items: {
                        type: 'string',
                        minLength: 1,
                        maxLength: 64,
                        'x-kubernetes-validations': [
                          {
                            rule: "self.matches('^([a-z0-9][-a-z0-9]*)?[*]?$')",
                            message: 'must be the name of a namespace, or a prefix with a trailing "*" such as team-*',
                          },
                        ],
                      },
                    },
                    resources: {
                      type: 'array',
                      maxItems: 8,
                      'x-kubernetes-list-type': 'atomic',
                      items: {
                        type: 'object',
                        required: ['apiGroups', 'resources'],
                        properties: {
                          apiGroups: {
                            type: 'array',
                            minItems: 1,
                            maxItems: 16,
                            'x-kubernetes-list-type': 'set',
                            items: {
                              type: 'string',
                              maxLength: 253,
                              'x-kubernetes-validations': [
                                {
                                  rule: "self == '*' || (self.matches('^[a-z0-9.-]*$') && !(self in ['core', 'v1']))",
                                  message:
                                    'must be a lower-case API group without its version, such as apps or cert-manager.io, "" for the core group, or "*" for all',
                                },
                              ],
                            },
                          },
                          resources: {
                            type: 'array',
                            minItems: 1,
                            maxItems: 64,
                            'x-kubernetes-list-type': 'set',
                            items: {
                              type: 'string',
                              minLength: 1,
                              maxLength: 63,
                              'x-kubernetes-validations': [
                                {
                                  rule: "self == '*' || self.matches('^[a-z0-9-]+$')",
                                  message: 'must be a plural, lower-case resource name such as pods, or "*" for all',
                                },
                              ],
                            },
                          },
                          subresources: {
                            type: 'array',
                            maxItems: 16,
                            'x-kubernetes-list-type': 'set',
                            items: {
                              type: 'string',
                              maxLength: 63,
                              'x-kubernetes-validations': [
                                {
                                  rule: "self == '' || self == '*' || self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",
                                  message:
                                    'must be a subresource such as log, "" for the resource itself, or "*" for the resource and all its subresources',
                                },
                              ],
                            },
                          },
                        },
                      },
                    },
                    fields: {
                      type: 'array',
                      maxItems: 32,
                      'x-kubernetes-list-type': 'set',
                      items: {
                        type: 'string',
                        minLength: 1,
                        maxLength: 256,
                        'x-kubernetes-validations': [
                          {
                            rule: "self.matches('^[A-Za-z0-9_-]+([.]([A-Za-z0-9_-]+|[*])|\\\\[([*]|\"[^\"*]+\"|\\'[^\\'*]+\\')\\\\])*$')",
                            message:
                              'must be a path such as data.*, spec.containers[*].env[*].value or metadata.annotations["example.com/card"], and begin with the name of a member',
                          },
                        ],
                      },
                    },
                  },
                  'x-kubernetes-validations': [
                    {
                      rule: '(has(self.namespaces) && size(self.namespaces) > 0) || (has(self.resources) && size(self.resources) > 0) || (has(self.fields) && size(self.fields) > 0)',
                      message: 'an exemption needs namespaces, resources or fields, or it would exempt everything',
                    },
                  ],
                },
              },
            },
            'x-kubernetes-validations': [
              {
                rule: "self.detector == 'PAN' || !has(self.show)",
                fieldPath: '.show',
                message: 'only the detector PAN leaves digits readable; remove show',
              },
              {
                rule: "self.detector == 'PAN' || !has(self.longDigitRuns)",
                fieldPath: '.longDigitRuns',
                message: 'only the detector PAN looks into long digit runs; remove longDigitRuns',
              },
              {
                rule: "self.detector == 'PAN' || !has(self.unexpected)",
                fieldPath: '.unexpected',
                message: 'only card numbers (detector PAN) are reported as unexpected; remove unexpected',
              },
              {
                rule: "!(self.detector in ['Regex', 'Field']) || !has(self.decode) || size(self.decode) == 0",
                fieldPath: '.decode',
                message: 'what patterns match and members hold is hidden as it stands, without decoding; remove decode',
              },
              {
                rule: "self.detector != 'Regex' || has(self.regex)",
                fieldPath: '.regex',
                message: 'the detector Regex needs regex with the pattern to hide',
              },
              {
                rule: "self.detector == 'Regex' || !has(self.regex)",
                fieldPath: '.regex',
                message: 'only the detector Regex takes regex: set detector to Regex, or remove regex',
              },
              {
                rule: "self.detector != 'Field' || has(self.field)",
                fieldPath: '.field',
                message: 'the detector Field needs field with the members to hide',
              },
              {
                rule: "self.detector == 'Field' || !has(self.field)",
                fieldPath: '.field',
                message: 'only the detector Field takes field: set detector to Field, or remove field',
              },
              {
                rule: "self.detector != 'Field' || !has(self.exemptions) || self.exemptions.all(e, !has(e.fields) || size(e.fields) == 0)",
                fieldPath: '.exemptions',
                message: 'a Field entry names its members itself; exempt namespaces and resources only',
              },
              {
                rule: '!has(self.unexpected) || !self.unexpected || !has(self.exemptions) || self.exemptions.all(e, !has(e.fields) || size(e.fields) == 0)',
                fieldPath: '.exemptions',
                message:
                  'an entry with unexpected exempts namespaces and resources only; exempt fields in an entry without it',
              },
            ],
          },
        },
        audit: {
          type: 'object',
          required: ['level'],
          properties: {
            level: {type: 'string', enum: ['Metadata', 'Request', 'RequestResponse']},
            recordInput: {type: 'boolean', default: false},
          },
        },
      },
      'x-kubernetes-validations': [
        {
          rule: "!has(self.rules) || !self.rules.exists(r, has(r.unmasked) && r.unmasked) || self.subjects.all(s, s.name != '*' && (!has(s.namespace) || s.namespace != '*'))",
          fieldPath: '.subjects',
          message:
            'a policy with a rule that shows answers unmasked names its subjects: "*" is not allowed here; move the rule to a policy of its own',
        },
      ],
    },
  },
};
