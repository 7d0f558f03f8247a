import {readdirSync, readFileSync} from 'node:fs';
import path from 'node:path';
import {afterAll, beforeAll, describe, expect, test} from '@jest/globals';
import {parse, parseAllDocuments} from 'yaml';
import {ApprovalCluster, operator, root, until} from './approvals.ts';

interface Manifest {
  kind: string;
  metadata: {name: string};
  spec: Record<string, unknown>;
}

const admission = readdirSync(path.join(root, 'config/admission'))
  .filter((file) => file.endsWith('.yaml'))
  .flatMap((file) => parseAllDocuments(readFileSync(path.join(root, 'config/admission', file), 'utf8')))
  .map((document): Manifest => document.toJS());

let approvals: ApprovalCluster;
let gatewayToken: string;

beforeAll(async () => {
  // Aggregated ClusterRoles and a Deployment's pods are the controller manager's work.
  approvals = await ApprovalCluster.start({controllerManager: true});
  const {cluster} = approvals;
  await cluster.mustKubectl(['apply', '-k', path.join(root, 'config/baseline')]);
  // The controller manager has aggregated the roles.
  await until(async () => {
    const admin = await cluster.mustKubectl(['get', 'clusterrole', 'admin', '-o', 'yaml']);
    return ['agentaccesspolicies', 'accessrequests', 'secrets'].every((resource) => admin.includes(resource));
  });
  gatewayToken = await cluster.mustKubectl(['create', 'token', 'lockkeeper-gateway', '-n', 'lockkeeper-system']);
}, 120_000);

afterAll(() => approvals?.cluster.stop());

describe('the admission policies', () => {
  test.each(admission.map(({kind, metadata, spec}) => [kind, metadata.name, spec] as const))(
    '%s %s comes back from the API server exactly as shipped',
    async (kind, name, spec) => {
      const live = JSON.parse(await approvals.cluster.mustKubectl(['get', kind, name, '-o', 'json']));
      expect(live.spec).toEqual(spec);
    },
  );

  test('match lockkeeper.dev alone, and fail closed', () => {
    const policies = admission.filter(({kind}) => kind.endsWith('AdmissionPolicy'));
    expect(policies).toHaveLength(3);
    for (const {spec} of policies) {
      expect(spec).toMatchObject({failurePolicy: 'Fail'});
      const {resourceRules} = spec.matchConstraints as {resourceRules: {apiGroups: string[]}[]};
      expect(resourceRules.map(({apiGroups}) => apiGroups)).toEqual([['lockkeeper.dev']]);
    }
  });

  test('keep approvers from every field of status but decision', () => {
    const crd = parse(readFileSync(path.join(root, 'crds/accessrequests.yaml'), 'utf8'));
    const {status} = crd.spec.versions[0].schema.openAPIV3Schema.properties;
    const policy = JSON.stringify(admission.find(({metadata}) => metadata.name === 'lockkeeper-accessrequests')?.spec);
    const unguarded = Object.keys(status.properties).filter(
      (field) => field !== 'decision' && !policy.includes(`variables.after.?${field} == variables.before.?${field}`),
    );
    expect(unguarded).toEqual([]);
  });

  test('are left without the mutating one for clusters before 1.36', async () => {
    const kinds = async (folder: string) => {
      const built = await approvals.cluster.mustKubectl(['kustomize', path.join(root, 'config', folder)]);
      return parseAllDocuments(built).map((document) => String(document.get('kind')));
    };
    const all = await kinds('default');
    expect(all.filter((kind) => kind.startsWith('Mutating'))).toHaveLength(2);
    expect(await kinds('overlays/before-1.36')).toEqual(all.filter((kind) => !kind.startsWith('Mutating')));
  });
});

describe('config/default', () => {
  test.each(['config/default', 'config/baseline'])('%s stands in the cluster as it is written', async (folder) => {
    const diff = await approvals.cluster.kubectl(['diff', '-k', path.join(root, folder)]);
    expect(diff).toEqual({code: 0, stdout: '', stderr: ''});
  });

  test.each(['operator', 'gateway'])('runs the %s’s pods under the restricted Pod Security Standard', async (name) => {
    const args = ['get', 'pods', '-n', 'lockkeeper-system', '-l', `app.kubernetes.io/name=lockkeeper-${name}`];
    await until(async () => (await approvals.cluster.mustKubectl([...args, '-o', 'name'])).split('\n').length === 3);
  });
});

describe('the operator’s rights', () => {
  test.each<[string, ...string[]]>([
    ['watch', 'agentaccesspolicies.lockkeeper.dev', '-A'],
    ['patch', 'agentaccesspolicies.lockkeeper.dev', '--subresource=status', '-A'],
    ['create', 'accessrequests.lockkeeper.dev', '-n', 'payments'],
    ['update', 'accessrequests.lockkeeper.dev', '--subresource=status', '-n', 'payments'],
    ['delete', 'accessrequests.lockkeeper.dev', '-n', 'payments'],
    ['create', 'tokenreviews.authentication.k8s.io'],
    ['create', 'events.events.k8s.io', '-n', 'payments'],
    ['patch', 'events.events.k8s.io', '-n', 'payments'],
    ['update', 'leases.coordination.k8s.io', '-n', 'lockkeeper-system'],
    ['create', 'configmaps', '-n', 'lockkeeper-system'],
    ['get', 'mutatingadmissionpolicies.admissionregistration.k8s.io/lockkeeper-accessrequests'],
    ['watch', 'validatingadmissionpolicybindings.admissionregistration.k8s.io/lockkeeper-accessrequests'],
  ])('are enough to %s %s', async (...args) => {
    expect(await canI(operator, args)).toBe('yes');
  });

  test('let it list the admission policy that it compares, by its name', async () => {
    const list = ['get', 'validatingadmissionpolicies', '-o', 'name', `--as=${operator}`];
    const {stdout} = await approvals.cluster.kubectl([
      ...list,
      '--field-selector=metadata.name=lockkeeper-accessrequests',
    ]);
    expect(stdout).toBe('validatingadmissionpolicy.admissionregistration.k8s.io/lockkeeper-accessrequests\n');
    expect((await approvals.cluster.kubectl(list)).stderr).toContain('Forbidden');
  });

  test.each<[string, ...string[]]>([
    ['patch', 'agentaccesspolicies.lockkeeper.dev', '-A'],
    ['update', 'accessrequests.lockkeeper.dev', '-n', 'payments'],
    ['patch', 'accessrequests.lockkeeper.dev', '--subresource=status', '-n', 'payments'],
    ['list', 'validatingadmissionpolicies.admissionregistration.k8s.io'],
    ['approve', 'accessrequests.lockkeeper.dev', '-n', 'payments'],
    ['update', 'leases.coordination.k8s.io', '-n', 'payments'],
    ['get', 'configmaps', '-n', 'payments'],
    ['get', 'secrets', '-n', 'lockkeeper-system'],
    ['update', 'validatingadmissionpolicies.admissionregistration.k8s.io/lockkeeper-accessrequests'],
    ['get', 'validatingadmissionpolicies.admissionregistration.k8s.io/other'],
    ['impersonate', 'users', '-A'],
  ])('do not let it %s %s', async (...args) => {
    expect(await canI(operator, args)).toBe('no');
  });
});

describe('the gateway’s rights', () => {
  test('let it act as an agent with its group, uid and token id', async () => {
    const extra = 'authentication.kubernetes.io/credential-id=JTI=7';
    const flags = ['--as=agent:build-bot', '--as-group=ai-agents', '--as-uid=u-1', `--as-user-extra=${extra}`];
    const {stdout} = await asGateway(['auth', 'whoami', '-o', 'json', ...flags]);
    expect(JSON.parse(stdout).status.userInfo).toEqual({
      username: 'agent:build-bot',
      uid: 'u-1',
      groups: ['ai-agents', 'system:authenticated'],
      extra: {'authentication.kubernetes.io/credential-id': ['JTI=7']},
    });
  });

  test('let it act as the ServiceAccounts of a namespace only where that is bound', async () => {
    const bot = ['auth', 'whoami', '-o', 'json', '--as=system:serviceaccount:payments:bot'];
    expect((await asGateway(bot)).code).toBe(1);
    await approvals.cluster.mustKubectl([
      ...['create', 'rolebinding', 'lockkeeper-gateway', '--namespace=payments'],
      ...['--clusterrole=lockkeeper-gateway-serviceaccounts', '--serviceaccount=lockkeeper-system:lockkeeper-gateway'],
    ]);
    const {stdout} = await asGateway(bot);
    // The groups are the API server's doing.
    expect(JSON.parse(stdout).status.userInfo.groups).toContain('system:serviceaccounts:payments');
    const operator = '--as=system:serviceaccount:lockkeeper-system:lockkeeper-operator';
    const refused = await asGateway(['get', '--raw=/version', operator]);
    expect(refused.stderr).toContain('cannot impersonate resource "serviceaccounts"');
  });

  test.each([
    ['a group of approvers', '--as-group=payments-oncall', 'groups'],
    ['the administrators', '--as-group=system:masters', 'groups'],
    ['an extra that is not listed', '--as-user-extra=example.com/role=admin', 'userextras/example.com/role'],
  ])('do not let it claim %s', async (_, flag, resource) => {
    const {stderr} = await asGateway(['get', '--raw=/version', '--as=agent:build-bot', flag]);
    expect(stderr).toContain(`cannot impersonate resource "${resource}"`);
  });

  test.each([
    ['get', 'pods', '-n', 'payments'],
    ['get', 'agentaccesspolicies', '-A'],
    ['get', 'accessrequests', '-A'],
    ['get', 'secrets', '-n', 'lockkeeper-system'],
  ])('let it do nothing as itself: %s %s', async (...args) => {
    expect((await asGateway(args)).stderr).toContain('Forbidden');
  });
});

describe('the roles for people', () => {
  test.each<[string, string, string[]]>([
    ['lockkeeper-approver', 'yes', ['approve', 'accessrequests.lockkeeper.dev']],
    ['lockkeeper-approver', 'yes', ['patch', 'accessrequests.lockkeeper.dev', '--subresource=status']],
    ['lockkeeper-approver', 'no', ['patch', 'accessrequests.lockkeeper.dev']],
    ['lockkeeper-approver', 'no', ['create', 'agentaccesspolicies.lockkeeper.dev']],
    ['lockkeeper-policy-author', 'yes', ['create', 'agentaccesspolicies.lockkeeper.dev']],
    ['lockkeeper-policy-author', 'no', ['approve', 'accessrequests.lockkeeper.dev']],
    ['lockkeeper-viewer', 'yes', ['get', 'accessrequests.lockkeeper.dev']],
    ['lockkeeper-viewer', 'no', ['patch', 'accessrequests.lockkeeper.dev', '--subresource=status']],
    ['admin', 'yes', ['create', 'agentaccesspolicies.lockkeeper.dev']],
    ['admin', 'no', ['approve', 'accessrequests.lockkeeper.dev']],
    ['edit', 'yes', ['get', 'accessrequests.lockkeeper.dev']],
    ['edit', 'no', ['create', 'agentaccesspolicies.lockkeeper.dev']],
    // The preview of a body may hold what was to go into a Secret, and view reads no Secrets.
    ['view', 'no', ['get', 'accessrequests.lockkeeper.dev']],
  ])('%s answers %s to %j', async (role, answer, args) => {
    const binding = ['create', 'rolebinding', `test-${role}`, '-n', 'payments'];
    await approvals.cluster.kubectl([...binding, `--clusterrole=${role}`, `--user=test-${role}`]);
    expect(await canI(`test-${role}`, [...args, '-n', 'payments'])).toBe(answer);
  });
});

async function canI(user: string, args: readonly string[]): Promise<string> {
  return (await approvals.cluster.kubectl(['auth', 'can-i', ...args, `--as=${user}`])).stdout.trim();
}

function asGateway(args: readonly string[]) {
  const {serverURL, caPath} = approvals.cluster;
  const flags = [`--server=${serverURL}`, `--certificate-authority=${caPath}`, `--token=${gatewayToken.trim()}`];
  return approvals.cluster.kubectl([...args, ...flags], {kubeconfig: '/dev/null'});
}
