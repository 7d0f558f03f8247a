import {expect, test} from '@jest/globals';
import {sharedCluster} from '../cluster/shared.ts';

test('the shared cluster tells users by their client certificates and lets RBAC decide', async () => {
  const cluster = sharedCluster();
  const namespace = await cluster.createNamespace('shared');
  const kubeconfig = await cluster.kubeconfigFor({user: 'agent:reader', groups: ['ai-agents']});
  await cluster.mustKubectl([
    'create',
    'rolebinding',
    'readers',
    '--clusterrole=view',
    '--group=ai-agents',
    `--namespace=${namespace}`,
  ]);

  const user = JSON.parse(await cluster.mustKubectl(['auth', 'whoami', '--output=json'], {kubeconfig}));
  expect(user.status.userInfo).toMatchObject({
    username: 'agent:reader',
    groups: ['ai-agents', 'system:authenticated'],
  });
  const listed = await cluster.kubectl(['get', 'pods', `--namespace=${namespace}`], {kubeconfig});
  expect(listed.code).toBe(0);
  const refused = await cluster.kubectl(['get', 'secrets', `--namespace=${namespace}`], {kubeconfig});
  expect(refused.code).toBe(1);
  expect(refused.stderr).toContain('Forbidden');
});

test('the shared cluster serves what admission and proxies need', async () => {
  const cluster = sharedCluster();
  const resources = await cluster.mustKubectl([
    'api-resources',
    '--api-group=admissionregistration.k8s.io',
    '--output=name',
  ]);
  expect(resources).toContain('mutatingadmissionpolicies.admissionregistration.k8s.io');
  const discovery = JSON.parse(await cluster.mustKubectl(['get', '--raw', '/.well-known/openid-configuration']));
  expect(discovery).toMatchObject({
    issuer: cluster.serviceAccountIssuer,
    jwks_uri: `${cluster.serverURL}/openid/v1/jwks`,
  });
});

test('the shared cluster gives ServiceAccounts tokens of the audience and life asked for', async () => {
  const cluster = sharedCluster();
  const namespace = await cluster.createNamespace('shared');
  await cluster.mustKubectl(['create', 'serviceaccount', 'agent', `--namespace=${namespace}`]);
  const token = await cluster.serviceAccountToken({
    namespace,
    name: 'agent',
    audience: 'lockkeeper',
    expirationSeconds: 900,
  });
  const claims = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());
  expect(claims).toMatchObject({
    iss: cluster.serviceAccountIssuer,
    aud: ['lockkeeper'],
    sub: `system:serviceaccount:${namespace}:agent`,
  });
  expect(claims.exp - claims.iat).toBe(900);
});
