import type {Schema} from '../schema/schema.ts';

export const policyTestKind = 'PolicyTest';
export const policyTestApiVersion = 'test.lockkeeper.dev/v1alpha1';

const text: Schema = {type: 'string', minLength: 1};
const texts: Schema = {type: 'array', items: text};
const anything: Schema = {};

const bodyOrFile = {
  rule: '!(has(self.body) && has(self.bodyFile))',
  fieldPath: '.bodyFile',
  message: 'give body or bodyFile, not both',
};

const isTime =
  "self.matches('^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})$')";

const agent: Schema = {
  type: 'object',
  required: ['username'],
  properties: {
    username: text,
    groups: texts,
    uid: {type: 'string'},
    extra: {type: 'object', additionalProperties: texts},
    issuer: {type: 'string'},
    claims: {type: 'object'},
  },
};

const request: Schema = {
  type: 'object',
  required: ['method', 'url'],
  properties: {
    method: {type: 'string', enum: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']},
    url: {
      type: 'string',
      'x-kubernetes-validations': [
        {
          rule: "self.startsWith('/')",
          message: 'must be the path and query of the request, such as /api/v1/namespaces/payments/pods',
        },
      ],
    },
    headers: {type: 'object', additionalProperties: {type: 'string'}},
    body: anything,
    bodyFile: text,
    sourceIP: text,
    at: {
      type: 'string',
      'x-kubernetes-validations': [{rule: isTime, message: 'must be a time such as 2026-03-02T10:30:00Z'}],
    },
  },
  'x-kubernetes-validations': [bodyOrFile],
};

const response: Schema = {
  type: 'object',
  properties: {contentType: text, body: anything, bodyFile: text},
  'x-kubernetes-validations': [
    bodyOrFile,
    {rule: 'has(self.body) || has(self.bodyFile)', fieldPath: '.body', message: 'give body or bodyFile'},
  ],
};

const expected: Schema = {
  type: 'object',
  required: ['outcome'],
  properties: {
    outcome: {type: 'string', enum: ['Allowed', 'Denied', 'NeedsApproval', 'Refused']},
    policy: text,
    rule: text,
    message: {type: 'string'},
    approvers: {type: 'object', properties: {groups: texts, users: texts}},
    masked: {
      type: 'object',
      properties: {body: anything, bodyFile: text},
      'x-kubernetes-validations': [
        bodyOrFile,
        {rule: 'has(self.body) || has(self.bodyFile)', fieldPath: '.body', message: 'give body or bodyFile'},
      ],
    },
    counts: {type: 'object', additionalProperties: {type: 'integer', minimum: 0}},
  },
  'x-kubernetes-validations': [
    {
      rule: "self.outcome == 'NeedsApproval' || !has(self.approvers)",
      fieldPath: '.approvers',
      message: 'only NeedsApproval has approvers',
    },
    {
      rule: "self.outcome != 'Refused' || !(has(self.policy) || has(self.rule))",
      fieldPath: '.policy',
      message: 'a call that is refused was never decided: remove policy and rule, and give message',
    },
  ],
};

const testCase: Schema = {
  type: 'object',
  required: ['name', 'agent', 'request', 'expect'],
  properties: {name: text, agent, request, response, expect: expected},
  'x-kubernetes-validations': [
    {
      rule: "self.expect.outcome in ['Allowed', 'NeedsApproval'] || !has(self.response)",
      fieldPath: '.response',
      message: 'a call that is not let through has no response: remove it, or expect Allowed or NeedsApproval',
    },
    {
      rule: 'has(self.response) || !(has(self.expect.masked) || has(self.expect.counts))',
      fieldPath: '.response',
      message: 'is missing: masked and counts say what becomes of it',
    },
  ],
};

/** A file of tests, as its author writes it. */
export const policyTestSchema: Schema = {
  type: 'object',
  required: ['apiVersion', 'kind', 'policies', 'cases'],
  properties: {
    apiVersion: {type: 'string', enum: [policyTestApiVersion]},
    kind: {type: 'string', enum: [policyTestKind]},
    policies: {type: 'array', minItems: 1, items: text},
    rootNamespace: text,
    cases: {
      type: 'array',
      minItems: 1,
      items: testCase,
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['name'],
    },
  },
};

/** A body: text as it stands, or YAML that is sent as JSON. */
export interface BodySource {
  readonly body?: unknown;
  /** From the directory of the test file. */
  readonly bodyFile?: string;
}

export interface PolicyTest {
  readonly policies: readonly string[];
  readonly rootNamespace?: string;
  readonly cases: readonly PolicyTestCase[];
}

export interface PolicyTestCase {
  readonly name: string;
  readonly agent: {
    readonly username: string;
    readonly groups?: readonly string[];
    readonly uid?: string;
    readonly extra?: Readonly<Record<string, readonly string[]>>;
    readonly issuer?: string;
    readonly claims?: Readonly<Record<string, unknown>>;
  };
  readonly request: BodySource & {
    readonly method: string;
    readonly url: string;
    readonly headers?: Readonly<Record<string, string>>;
    readonly sourceIP?: string;
    readonly at?: string;
  };
  readonly response?: BodySource & {readonly contentType?: string};
  readonly expect: Expectation;
}

export interface Expectation {
  readonly outcome: 'Allowed' | 'Denied' | 'NeedsApproval' | 'Refused';
  /** `namespace/name`; `builtin` and `default` where no policy spoke. */
  readonly policy?: string;
  readonly rule?: string;
  readonly message?: string;
  readonly approvers?: {readonly groups?: readonly string[]; readonly users?: readonly string[]};
  readonly masked?: BodySource;
  readonly counts?: Readonly<Record<string, number>>;
}
