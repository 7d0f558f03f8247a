import {describe, expect, test} from '@jest/globals';
import type {CommandInput} from '../input.ts';
import {policyCommand} from '../policy/command.ts';

class Exit extends Error {}

const policy = `apiVersion: lockkeeper.dev/v1alpha1
kind: AgentAccessPolicy
metadata: {name: workloads, namespace: payments}
spec:
  subjects: [{kind: Group, name: ai-agents}]
  rules:
    - name: read
      effect: Allow
      operations: [{verbs: [get, list], apiGroups: [""], resources: [pods, secrets]}]
    - name: no-deletes
      effect: Deny
      operations: [{verbs: [delete], apiGroups: [""], resources: [pods]}]
      message: nothing is deleted here
    - name: change
      effect: RequireApproval
      operations: [{verbs: [create], apiGroups: [""], resources: [pods]}]
      conditions: [{name: costly, expression: "object.spec.replicas > 3 || now > timestamp('2030-01-01T00:00:00Z')"}]
      approval: {approvers: {groups: [oncall]}}
  masking: [{name: cards, detector: PAN, exemptions: [{fields: [metadata.annotations.trace]}]}]
`;

/** A file of tests with these cases. */
const suite = (...cases: string[]): string =>
  `apiVersion: test.lockkeeper.dev/v1alpha1
kind: PolicyTest
policies: [policy.yaml]
cases:
${cases.map((each) => `  - ${each.trim().replaceAll('\n', '\n    ')}\n`).join('')}`;

const agent = 'agent: {username: "agent:bot", groups: [ai-agents]}';
const pods = '/api/v1/namespaces/payments/pods';

function aCase(name: string, request: string, expected: string, more = ''): string {
  return `name: ${name}\n${agent}\nrequest: ${request}\n${more}\nexpect: ${expected}`;
}

async function run(files: Readonly<Record<string, string>>, ...args: string[]) {
  const result = {out: '', error: '', code: 0, written: {} as Record<string, string>};
  const all: Readonly<Record<string, string>> = {'dir/policy.yaml': policy, ...files};
  const input: CommandInput = {
    read() {
      throw new Error('not for this command');
    },
    async readText(path) {
      const text = all[path];
      if (text === undefined) throw new Error(`ENOENT: no such file or directory, open '${path}'`);
      return text;
    },
    async writeText(path, text) {
      result.written[path] = text;
    },
    async list(directory) {
      if (directory !== 'dir') throw new Error(`ENOENT: no such file or directory, scandir '${directory}'`);
      return Object.keys(all).map((path) => path.slice('dir/'.length));
    },
    out: (text) => {
      result.out += text;
    },
    error: (text) => {
      result.error += text;
    },
    exitCode: (code) => {
      result.code = code;
    },
    exit: (code) => {
      result.code = code;
      throw new Exit();
    },
  };
  try {
    await policyCommand(input).parseAsync(['test', ...args], {from: 'user'});
  } catch (error) {
    if (!(error instanceof Exit)) throw error;
  }
  return result;
}

const runCase = async (each: string) => run({'dir/a.test.yaml': suite(each)}, 'dir');

describe('what passes', () => {
  test.each([
    ['an Allow', `{method: GET, url: ${pods}}`, '{outcome: Allowed, policy: payments/workloads, rule: read}'],
    [
      'a Deny with its message',
      `{method: DELETE, url: ${pods}/a}`,
      '{outcome: Denied, rule: no-deletes, message: nothing is deleted here}',
    ],
    ['what no rule allows', `{method: PUT, url: ${pods}/a, body: {}}`, '{outcome: Denied, policy: default}'],
    [
      'what no policy can allow',
      '{method: DELETE, url: /apis/lockkeeper.dev/v1alpha1/namespaces/payments/agentaccesspolicies/a}',
      '{outcome: Denied, policy: builtin}',
    ],
    [
      'an approval, by the body',
      `{method: POST, url: ${pods}, body: {spec: {replicas: 4}}}`,
      '{outcome: NeedsApproval, rule: change, approvers: {groups: [oncall]}}',
    ],
    [
      'an approval, by the time',
      `{method: POST, url: ${pods}, body: {spec: {replicas: 1}}, at: "2031-01-01T00:00:00Z"}`,
      '{outcome: NeedsApproval, rule: change}',
    ],
    [
      'an approval, as a condition cannot be evaluated',
      `{method: POST, url: ${pods}, headers: {Content-Type: application/vnd.kubernetes.protobuf}, body: x}`,
      '{outcome: NeedsApproval, rule: change}',
    ],
    ['no approval, by the body', `{method: POST, url: ${pods}, body: {spec: {replicas: 1}}}`, '{outcome: Denied}'],
    ['a refusal', `{method: GET, url: ${pods}//a}`, '{outcome: Refused}'],
    [
      'a body that can be read in two ways',
      `{method: POST, url: ${pods}, body: '{"a":1,"a":2}'}`,
      '{outcome: Refused}',
    ],
    ['impersonation', `{method: GET, url: ${pods}, headers: {Impersonate-User: admin}}`, '{outcome: Refused}'],
  ])('%s', async (name, request, expected) => {
    expect(await runCase(aCase(name, request, expected))).toMatchObject({
      out: `ok   dir/a.test.yaml: ${name}\n1 passed, 0 failed\n`,
      error: '',
      code: 0,
    });
  });

  test.each([
    ['JSON', '{card: 4111111111111111, n: 2}', '{card: "**********1111", n: 2}'],
    [
      'members that are exempt',
      '{metadata: {annotations: {trace: "4111111111111111", card: "4111111111111111"}}}',
      '{metadata: {annotations: {trace: "4111111111111111", card: "************1111"}}}',
    ],
    ['a number of 19 digits', '{n: 4000000000000000006}', '{n: "*************0006"}'],
    ['JSON as text', '\'{"card": "4111111111111111"}\'', '\'{"card": "************1111"}\''],
  ])('the masked answer: %s', async (_, body, masked) => {
    const each = aCase(
      'masked',
      `{method: GET, url: ${pods}}`,
      `{outcome: Allowed, masked: {body: ${masked}}, counts: {PAN: 1}}`,
      `response: {body: ${body}}`,
    );
    expect(await runCase(each)).toMatchObject({out: 'ok   dir/a.test.yaml: masked\n1 passed, 0 failed\n'});
  });

  test.each([
    ['show: None', '{card: 4111111111111111}', '{card: "**************"}'],
    ['show: FirstSixLastFour', '{card: "4111111111111111"}', '{card: "411111******1111"}'],
    ['longDigitRuns: true', '{run: "000000555555555555444499"}', '{run: "000000************444499"}'],
  ])('the answer as %s masks it', async (said, body, masked) => {
    const each = aCase(
      'masked',
      `{method: GET, url: ${pods}}`,
      `{outcome: Allowed, masked: {body: ${masked}}, counts: {PAN: 1}}`,
      `response: {body: ${body}}`,
    );
    const files = {'dir/policy.yaml': policy.replace('detector: PAN', `detector: PAN, ${said}`)};
    expect(await run({...files, 'dir/a.test.yaml': suite(each)}, 'dir')).toMatchObject({
      out: 'ok   dir/a.test.yaml: masked\n1 passed, 0 failed\n',
    });
  });

  test('the masked data of a Secret', async () => {
    const [data, masked] = ['4111111111111111', '************1111'].map((text) => Buffer.from(text).toString('base64'));
    const each = aCase(
      'secret',
      '{method: GET, url: /api/v1/namespaces/payments/secrets/a}',
      `{outcome: Allowed, masked: {body: {data: {card: "${masked}"}}}}`,
      `response: {body: {data: {card: "${data}"}}}`,
    );
    expect(await runCase(each)).toMatchObject({code: 0});
  });

  test('bodies in files, beside the file of tests', async () => {
    const each = aCase(
      'files',
      `{method: GET, url: ${pods}/a}`,
      '{outcome: Allowed, masked: {bodyFile: out.txt}}',
      'response: {bodyFile: in.txt, contentType: text/plain; charset=utf-8}',
    );
    const files = {'dir/in.txt': 'pan 4111111111111111\n', 'dir/out.txt': 'pan ************1111\n'};
    expect(await run({'dir/a.test.yaml': suite(each), ...files}, 'dir/a.test.yaml')).toMatchObject({code: 0});
  });
});

describe('what fails', () => {
  test.each([
    [
      `{method: GET, url: ${pods}}`,
      '{outcome: Denied}',
      '9: outcome: expected Denied, got Allowed: policy payments/workloads, rule read',
    ],
    [
      `{method: DELETE, url: ${pods}/a}`,
      '{outcome: Allowed}',
      '9: outcome: expected Allowed, got Denied: policy payments/workloads, rule no-deletes: nothing is deleted here',
    ],
    [
      `{method: DELETE, url: ${pods}/a}`,
      '{outcome: Denied, rule: freeze}',
      '9: rule: expected "freeze", got "no-deletes" (policy payments/workloads, rule no-deletes: nothing is deleted here)',
    ],
    [
      `{method: DELETE, url: ${pods}/a}`,
      '{outcome: Denied, message: no}',
      '9: message: expected "no", got "nothing is deleted here" (policy payments/workloads, rule no-deletes: nothing is deleted here)',
    ],
    [`{method: GET, url: ${pods}/..}`, '{outcome: Refused, message: x}', '9: message: expected "x", got "'],
    [
      `{method: POST, url: ${pods}, body: {spec: {replicas: 4}}}`,
      '{outcome: NeedsApproval, approvers: {users: [alice]}}',
      '9: approvers: expected {"groups":[],"users":["alice"]}, got {"groups":["oncall"],"users":[]}',
    ],
  ])('%s %s', async (request, expected, line) => {
    const result = await runCase(aCase('it', request, expected));
    expect(result.out).toMatch(/^FAIL dir\/a\.test\.yaml: it\n/);
    expect(result.out).toContain(`\n       dir/a.test.yaml:${line}`);
    expect(result.out).toMatch(/0 passed, 1 failed\n$/);
    expect(result.code).toBe(1);
  });

  test.each([
    [
      '{body: {a: 4111111111111111}}',
      '{masked: {body: {a: "x"}}}',
      'masked.body: expected a "x", got "**********1111"',
    ],
    ['{body: {a: [1, {b: 2}]}}', '{masked: {body: {a: [1]}}}', 'masked.body: expected a[1] nothing, got {"b":2}'],
    [
      '{body: "one\\ntwo", contentType: text/plain}',
      '{masked: {body: "one\\n2"}}',
      'masked.body: expected line 2 "2", got "two"',
    ],
    ['{body: {a: 4111111111111111}}', '{counts: {PAN: 2}}', 'counts.PAN: expected 2, got 1'],
    ['{body: {a: 4111111111111111}}', '{counts: {}}', 'counts.PAN: expected 0, got 1'],
    [
      '{body: x, contentType: image/png}',
      '{counts: {}}',
      'expect: the agent gets no answer: an answer of the media type image/png cannot be masked',
    ],
  ])('the answer %s with %s', async (response, expected, message) => {
    const each = aCase(
      'it',
      `{method: GET, url: ${pods}}`,
      expected.replace('{', '{outcome: Allowed, '),
      `response: ${response}`,
    );
    const result = await runCase(each);
    expect(result.out).toContain(message);
    expect(result.code).toBe(1);
  });
});

describe('what cannot be run', () => {
  const good = aCase('good', `{method: GET, url: ${pods}}`, '{outcome: Allowed}');

  test.each([
    ['no YAML', 'a: [', 'dir/a.test.yaml:1: '],
    ['nothing', '', 'dir/a.test.yaml: must hold one document of the kind PolicyTest'],
    [
      'another kind',
      suite(good).replace('PolicyTest', 'Test'),
      'dir/a.test.yaml:2: kind: must be PolicyTest, not "Test"',
    ],
    [
      'a field that is none',
      suite(good.replace('expect:', 'expects:')),
      'dir/a.test.yaml:9: cases[0].expects: is no field; there are name, agent, request, response, expect',
    ],
    [
      'an outcome that is none',
      suite(good.replace('Allowed', 'allow')),
      'dir/a.test.yaml:9: cases[0].expect.outcome: must be Allowed, Denied, NeedsApproval or Refused, not "allow"',
    ],
    [
      'a method that is none',
      suite(good.replace('GET', 'get')),
      'dir/a.test.yaml:7: cases[0].request.method: must be GET, HEAD, POST, PUT, PATCH, DELETE or OPTIONS, not "get"',
    ],
    [
      'a verb for a url',
      suite(good.replace(pods, 'pods')),
      'dir/a.test.yaml:7: cases[0].request.url: must be the path and query of the request, such as /api/v1/namespaces/payments/pods',
    ],
    [
      'a time that is none',
      suite(good.replace('GET,', 'GET, at: tomorrow,')),
      'dir/a.test.yaml:7: cases[0].request.at: must be a time such as 2026-03-02T10:30:00Z',
    ],
    [
      'groups that are no list',
      suite(good.replace('[ai-agents]', 'ai-agents')),
      'dir/a.test.yaml:6: cases[0].agent.groups: must be a list, not "ai-agents"',
    ],
    ['two tests of one name', suite(good, good), 'dir/a.test.yaml:10: cases[1].name: "good" is there already, at [0]'],
    [
      'an answer to what is denied',
      suite(good.replace('Allowed', 'Denied').replace('expect:', 'response: {body: {}}\nexpect:')),
      'dir/a.test.yaml:9: cases[0].response: a call that is not let through has no response: remove it, or expect Allowed or NeedsApproval',
    ],
    [
      'a masked answer to no answer',
      suite(good.replace('Allowed', 'Allowed, counts: {PAN: 1}')),
      'dir/a.test.yaml:5: cases[0].response: is missing: masked and counts say what becomes of it',
    ],
    [
      'approvers of what needs none',
      suite(good.replace('Allowed', 'Allowed, approvers: {groups: [a]}')),
      'dir/a.test.yaml:9: cases[0].expect.approvers: only NeedsApproval has approvers',
    ],
    [
      'a policy that is not there',
      suite(good).replace('policy.yaml', 'other.yaml'),
      "dir/a.test.yaml:3: policies[0]: other.yaml cannot be read: ENOENT: no such file or directory, open 'dir/other.yaml'",
    ],
    [
      'a policy twice',
      suite(good).replace('policy.yaml', 'policy.yaml, policy.yaml'),
      'dir/policy.yaml:3: metadata.name: payments/workloads is there already, in dir/policy.yaml',
    ],
    [
      'a body that is not there',
      suite(good.replace('expect:', 'response: {bodyFile: x.json}\nexpect:')),
      "dir/a.test.yaml:9: cases[0].response.bodyFile: x.json cannot be read: ENOENT: no such file or directory, open 'dir/x.json'",
    ],
  ])('%s', async (_, text, message) => {
    const result = await run({'dir/a.test.yaml': text}, 'dir');
    expect(result.out.split('\n')[0]).toContain(`FAIL ${message}`);
    expect(result.out).toMatch(/\n0 passed, 1 failed\n$/);
    expect(result.code).toBe(1);
  });

  test.each([
    ['no policy', 'kind: ConfigMap', 'dir/policy.yaml: holds no AgentAccessPolicy'],
    [
      'an effect that is none',
      policy.replace('Allow', 'allow'),
      'dir/policy.yaml:8: spec.rules[0].effect: must be Allow, Deny or RequireApproval, not "allow"',
    ],
    [
      'a field that is none',
      policy.replace('conditions', 'condition'),
      'dir/policy.yaml:17: spec.rules[2].condition: is no field; there are name, effect, operations, conditions',
    ],
    [
      'no namespace',
      policy.replace(', namespace: payments', ''),
      'dir/policy.yaml:3: metadata.namespace: must be given: it says where the policy applies',
    ],
    [
      'another version',
      policy.replace('v1alpha1', 'v1'),
      'dir/policy.yaml:1: apiVersion: must be lockkeeper.dev/v1alpha1',
    ],
    [
      'what a rule of the schema forbids',
      policy.replace('effect: RequireApproval', 'effect: Deny'),
      'dir/policy.yaml:18: spec.rules[2].approval: only the effect RequireApproval takes approval',
    ],
    [
      'a condition that does not compile',
      policy.replace('object.spec', 'objekt.spec'),
      'dir/policy.yaml:17: spec.rules[2].conditions[0].expression: ',
    ],
    [
      'a detector that is none',
      policy.replace('PAN', 'IBAN'),
      'dir/policy.yaml:19: spec.masking[0].detector: must be ',
    ],
  ])('a policy file with %s', async (_, text, message) => {
    const result = await run({'dir/a.test.yaml': suite(good), 'dir/policy.yaml': text}, 'dir');
    expect(result.out.split('\n')[0]).toContain(`FAIL ${message}`);
    expect(result.code).toBe(1);
  });

  test('tests that can are run nevertheless', async () => {
    const result = await run({'dir/a.test.yaml': '[', 'dir/b.test.yaml': suite(good)}, 'dir');
    expect(result.out).toContain('ok   dir/b.test.yaml: good\n1 passed, 1 failed\n');
  });

  test.each([
    [['dir'], 'lockkeeper: no file named *.test.yaml in dir\n'],
    [['gone'], "lockkeeper: ENOENT: no such file or directory, scandir 'gone'\n"],
    [[], "error: missing required argument 'directory'\n"],
  ])('%j', async (args, message) => {
    expect(await run({}, ...args)).toMatchObject({out: '', error: message, code: 2});
  });
});

test('JUnit gets every test, with what failed in it', async () => {
  const passes = aCase('a "good" <case>', `{method: GET, url: ${pods}}`, '{outcome: Allowed}').replace(
    /name: .*/,
    `name: 'a "good" <case>'`,
  );
  const fails = aCase('bad', `{method: GET, url: ${pods}}`, '{outcome: Denied}');
  const files = {'dir/a.test.yaml': suite(passes, fails), 'dir/b.test.yaml': 'kind: Other'};
  const {written, code} = await run(files, 'dir', '--junit', 'results.xml');
  expect(code).toBe(1);
  expect(written['results.xml']).toBe(`<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="lockkeeper policy test" tests="3" failures="2">
  <testsuite name="dir/a.test.yaml" tests="2" failures="1" errors="0" skipped="0">
    <testcase classname="dir/a.test.yaml" name="a &quot;good&quot; &lt;case&gt;"/>
    <testcase classname="dir/a.test.yaml" name="bad">
      <failure message="dir/a.test.yaml:14: outcome: expected Denied, got Allowed: policy payments/workloads, rule read">dir/a.test.yaml:14: outcome: expected Denied, got Allowed: policy payments/workloads, rule read</failure>
    </testcase>
  </testsuite>
  <testsuite name="dir/b.test.yaml" tests="1" failures="1" errors="0" skipped="0">
    <testcase classname="dir/b.test.yaml" name="the file can be read">
      <failure message="dir/b.test.yaml:1: kind: must be PolicyTest, not &quot;Other&quot;">dir/b.test.yaml:1: kind: must be PolicyTest, not &quot;Other&quot;</failure>
    </testcase>
  </testsuite>
</testsuites>
`);
});
