import path from 'node:path';
import {setTimeout as sleep} from 'node:timers/promises';
import {afterAll, beforeAll, describe, expect, test} from '@jest/globals';
import {type StartedCluster, startCluster} from '../cluster/start.ts';
import {type Fields, fullSpec, policy, withApproval, withOperation, wrongPolicies} from './policies.ts';

const root = path.resolve(import.meta.dirname, '../..');
const startMilliseconds = 120_000;

// A cluster of its own: in the shared one other tests may have admission policies on these kinds.
let cluster: StartedCluster;

beforeAll(async () => {
  cluster = await startCluster();
  await cluster.mustKubectl(['apply', '-f', path.join(root, 'crds')]);
  const crds = ['crd/agentaccesspolicies.lockkeeper.dev', 'crd/accessrequests.lockkeeper.dev'];
  await cluster.mustKubectl(['wait', '--for=condition=Established', '--timeout=30s', ...crds]);
  for (const object of [policy({}), accessRequest({})]) {
    while ((await create(object, '--dry-run=server')).code !== 0) await sleep(100);
  }
}, startMilliseconds);

afterAll(() => cluster?.stop());

function accessRequest(spec: Fields, name = 'example'): Fields {
  return {
    apiVersion: 'lockkeeper.dev/v1alpha1',
    kind: 'AccessRequest',
    metadata: {name, namespace: 'default'},
    spec: {
      agent: {username: 'agent:build-bot', groups: ['ai-agents']},
      operation: {verb: 'create', resource: 'pods', subresource: 'exec', namespace: 'default', name: 'web-0'},
      request: {method: 'POST', path: '/api/v1/namespaces/default/pods/web-0/exec', query: 'command=ls'},
      digest: 'a'.repeat(64),
      policy: {namespace: 'default', name: 'ask-first', rule: 'exec'},
      expiresAt: '2126-01-01T00:00:00Z',
      ...spec,
    },
  };
}

const create = (object: Fields, ...flags: string[]) =>
  cluster.kubectl(['create', '-f', '-', ...flags], {input: JSON.stringify(object)});

const patchStatus = (name: string, status: Fields) =>
  cluster.kubectl(['patch', 'areq', name, '--subresource=status', '--type=merge', '-p', JSON.stringify({status})]);

describe('AgentAccessPolicy', () => {
  test.each([
    ['all of its fields', policy(fullSpec)],
    ['masking alone', policy({masking: [{name: 'cards', detector: 'PAN'}]})],
    ['the defaults of approval', withApproval({})],
    [
      'empty lists where a field does not apply',
      withOperation({subresources: [], resourceNames: [], nonResourceURLs: []}),
    ],
    ['an approval of the shortest and longest durations', withApproval({expireAfter: '1m', wait: '0s'})],
    ['an approval of the longest durations', withApproval({expireAfter: '24h', wait: '5m'})],
  ])('is accepted with %s', async (_, object) => {
    expect(await create(object, '--dry-run=server')).toMatchObject({code: 0, stderr: ''});
  });

  test('comes back with the defaults filled in', async () => {
    const {stdout} = await create(withApproval({}), '--dry-run=server', '-o', 'json');
    expect(JSON.parse(stdout).spec).toMatchObject({
      enforcementMode: 'Enforce',
      rules: [{approval: {count: 1, expireAfter: '15m', grant: 'Once', wait: '0s'}}],
    });
  });

  test.each(wrongPolicies)('is refused with %s', async (_, object, message) => {
    const {code, stderr} = await create(object, '--dry-run=server');
    expect(stderr).toContain(message);
    expect(code).toBe(1);
  });

  test('prints mode, conditions and proxies, and is found by its short name, category and mode', async () => {
    await cluster.mustKubectl(['create', '-f', '-'], {
      input: JSON.stringify(policy({enforcementMode: 'DryRun'}, 'printed')),
    });
    const condition = {reason: 'Compiled', message: '', lastTransitionTime: '2026-01-01T00:00:00Z'};
    const status = {
      conditions: [
        {...condition, type: 'Accepted', status: 'True'},
        {...condition, type: 'Programmed', status: 'False'},
      ],
      proxies: {applied: 2, rejected: 0, connected: 3},
    };
    const patch = JSON.stringify({status});
    await cluster.mustKubectl(['patch', 'aap', 'printed', '--subresource=status', '--type=merge', '-p', patch]);

    const [header, row] = lines(await cluster.mustKubectl(['get', 'aap', 'printed']));
    expect(header).toEqual(['NAME', 'MODE', 'ACCEPTED', 'PROGRAMMED', 'PROXIES', 'AGE']);
    expect(row).toEqual(['printed', 'DryRun', 'True', 'False', '2', expect.any(String)]);
    const selected = ['get', 'aap', '-o', 'name', '--field-selector=spec.enforcementMode=DryRun'];
    expect(await cluster.mustKubectl(selected)).toBe('agentaccesspolicy.lockkeeper.dev/printed\n');
    expect(await cluster.mustKubectl(['get', 'lockkeeper', '-o', 'name'])).toContain(
      'agentaccesspolicy.lockkeeper.dev/printed',
    );
  });
});

describe('AccessRequest', () => {
  test.each<[string, Fields, string]>([
    ['no agent', accessRequest({agent: undefined}), 'spec.agent: Required value'],
    ['a digest that is none', accessRequest({digest: 'A'.repeat(64)}), 'spec.digest in body should match'],
    [
      'an expiry that is no time',
      accessRequest({expiresAt: 'tomorrow'}),
      'spec.expiresAt in body must be of type date-time',
    ],
    ['an unknown grant', accessRequest({grant: 'Forever'}), 'supported values: "Once", "Window"'],
    [
      'a preview that is too long',
      accessRequest({request: {method: 'POST', path: '/', bodyPreview: 'x'.repeat(8193)}}),
      'may not be more than 8192',
    ],
    ['an unknown field', accessRequest({approved: true}), 'unknown field "spec.approved"'],
  ])('is refused with %s', async (_, object, message) => {
    const {code, stderr} = await create(object, '--dry-run=server');
    expect(stderr).toContain(message);
    expect(code).toBe(1);
  });

  test('keeps its spec', async () => {
    await cluster.mustKubectl(['create', '-f', '-'], {input: JSON.stringify(accessRequest({}, 'immutable'))});
    const patch = JSON.stringify({spec: {count: 2}});
    const {stderr} = await cluster.kubectl(['patch', 'areq', 'immutable', '--type=merge', '-p', patch]);
    expect(stderr).toContain('the spec of an AccessRequest never changes');
  });

  test('takes no status when it is created', async () => {
    const status = {decision: {outcome: 'Approved', username: 'alice'}, phase: 'Approved'};
    const {stdout} = await create({...accessRequest({}), status}, '--dry-run=server', '-o', 'json');
    expect(JSON.parse(stdout)).not.toHaveProperty('status');
  });

  test('takes no decision but Approved and Denied', async () => {
    await cluster.mustKubectl(['create', '-f', '-'], {input: JSON.stringify(accessRequest({}, 'outcome'))});
    const {stderr} = await patchStatus('outcome', {decision: {outcome: 'Maybe'}});
    expect(stderr).toContain(
      'status.decision.outcome: Unsupported value: "Maybe": supported values: "Approved", "Denied"',
    );
  });

  test('keeps what was decided and used, whoever writes', async () => {
    await cluster.mustKubectl(['create', '-f', '-'], {input: JSON.stringify(accessRequest({}, 'record'))});
    const alice = {outcome: 'Approved', username: 'alice', time: '2026-01-01T00:00:00Z'};
    const bob = {...alice, username: 'bob'};
    const consumedBy = {proxy: 'gateway-0', auditID: 'one', time: '2026-01-01T00:00:00Z'};
    expect(await patchStatus('record', {decisions: [alice], consumedBy})).toMatchObject({code: 0});
    expect(await patchStatus('record', {decisions: [alice, bob]})).toMatchObject({code: 0});

    const refused = async (status: Fields) => (await patchStatus('record', status)).stderr;
    expect(await refused({decisions: [bob]})).toContain('a recorded decision is never removed');
    expect(await refused({decisions: [{...alice, outcome: 'Denied'}, bob]})).toContain(
      'a recorded decision never changes',
    );
    expect(await refused({decisions: [alice, bob, alice]})).toContain(
      'status.decisions[2]: Duplicate value: {"username":"alice"}',
    );
    expect(await refused({consumedBy: {...consumedBy, auditID: 'two'}})).toContain('a grant is used once');
  });

  test('prints who asks for what until when, and is found by agent, digest and phase', async () => {
    const digest = 'b'.repeat(64);
    await cluster.mustKubectl(['create', '-f', '-'], {input: JSON.stringify(accessRequest({digest}, 'printed'))});
    expect(await patchStatus('printed', {phase: 'Pending'})).toMatchObject({code: 0});

    const [header, row] = lines(await cluster.mustKubectl(['get', 'areq', 'printed']));
    expect(header).toEqual(['NAME', 'AGENT', 'VERB', 'RESOURCE', 'SUBRESOURCE', 'TARGET', 'PHASE', 'EXPIRES', 'AGE']);
    const columns = [
      'printed',
      'agent:build-bot',
      'create',
      'pods',
      'exec',
      'web-0',
      'Pending',
      '2126-01-01T00:00:00Z',
    ];
    expect(row).toEqual([...columns, expect.any(String)]);
    const selector = `spec.agent.username=agent:build-bot,spec.digest=${digest},status.phase=Pending`;
    const selected = ['get', 'areq', '-o', 'name', `--field-selector=${selector}`];
    expect(await cluster.mustKubectl(selected)).toBe('accessrequest.lockkeeper.dev/printed\n');
  });
});

describe('kubectl explain', () => {
  test.each([
    ['agentaccesspolicies', 'AgentAccessPolicy says what AI agents may do to the Kubernetes API'],
    ['agentaccesspolicies.spec.rules.effect', 'whatever other rules or approvals say'],
    ['agentaccesspolicies.spec.rules.operations.subresources', 'Absent or empty: the resource itself only.'],
    ['accessrequests.status.decision', "The approver's slot."],
    ['accessrequests.status.decision.username', 'the API server fills in'],
  ])('describes %s', async (field, description) => {
    expect(await cluster.mustKubectl(['explain', field])).toContain(description);
  });

  test.each(['agentaccesspolicies', 'accessrequests'])('describes every field of %s', async (plural) => {
    const crd = JSON.parse(await cluster.mustKubectl(['get', 'crd', `${plural}.lockkeeper.dev`, '-o', 'json']));
    const {spec, status} = crd.spec.versions[0].schema.openAPIV3Schema.properties;
    expect([...undescribed('spec', spec), ...undescribed('status', status)]).toEqual([]);
  });
});

interface DescribedSchema {
  description?: string;
  properties?: Record<string, DescribedSchema>;
  items?: DescribedSchema;
}

function undescribed(at: string, schema: DescribedSchema): string[] {
  return [
    ...(schema.description ? [] : [at]),
    ...Object.entries(schema.properties ?? {}).flatMap(([name, property]) => undescribed(`${at}.${name}`, property)),
    ...Object.entries(schema.items?.properties ?? {}).flatMap(([name, item]) => undescribed(`${at}[].${name}`, item)),
  ];
}

function lines(table: string): string[][] {
  return table
    .trimEnd()
    .split('\n')
    .map((line) => line.split(/\s{2,}/).map((cell) => cell.trim()));
}
