import {execFile} from 'node:child_process';
import {mkdir, readFile, writeFile} from 'node:fs/promises';
import path from 'node:path';
import {promisify} from 'node:util';
import {afterAll, afterEach, beforeAll, describe, expect, jest, test} from '@jest/globals';
import {parse, stringify} from 'yaml';
import type {AgentAccessPolicySpec, Approval} from '../../core/api/agentaccesspolicy.ts';
import {describeWithNode} from '../cluster/node/describe.ts';
import {startPod} from '../cluster/node/pod.ts';
import {rootNamespace} from '../environment/environment.ts';
import {eventually} from '../eventually.ts';
import {Approvers} from './approvers.ts';
import {ForgingIssuer} from './issuer.ts';
import {type PodStreamTransport, podStreamTransports, Session, type SessionEnd} from './session.ts';
import {agentGroup, allowEverything, namespace, Stack} from './stack.ts';

jest.setTimeout(180_000);

const run = promisify(execFile);
const alice = {user: 'alice@example.com', groups: ['oncall']};
/** What the proxy promises, with what kubectl and a loaded machine take on top of it. */
const promisedMilliseconds = 2_000 + 2_000;
const forever = ['sh', '-c', 'echo begun; cat'];

describeWithNode('a stream that is no longer permitted', () => {
  let stack: Stack;
  let approvers: Approvers;
  let issuer: ForgingIssuer;
  const sessions = new Set<Session>();

  beforeAll(async () => {
    issuer = await ForgingIssuer.start();
    stack = await Stack.start({node: true, policies: {everything: allowEverything()}});
    approvers = await Approvers.of(stack, ['oncall']);
    for (const name of ['open', 'asked', 'window', 'brief']) await startPod(stack.cluster, {namespace, name});
    const ask = (name: string, approval: Approval) => ({
      name,
      effect: 'RequireApproval' as const,
      operations: [
        {
          verbs: ['create' as const],
          apiGroups: [''],
          resources: ['pods'],
          subresources: ['exec'],
          resourceNames: [name],
        },
      ],
      approval: {approvers: {groups: ['oncall']}, ...approval},
    });
    const policy: AgentAccessPolicySpec = {
      subjects: [{kind: 'User', name: '*'}],
      rules: [
        ask('asked', {grant: 'Once'}),
        ask('window', {grant: 'Window'}),
        ask('brief', {grant: 'Once', expireAfter: '1m'}),
      ],
    };
    await stack.applyPolicies({approvals: policy}, namespace);
    const file = path.join(stack.environment.directory, 'authentication.yaml');
    const configuration = parse(await readFile(file, 'utf8')) as {jwt: unknown[]};
    configuration.jwt.push({
      issuer: {url: issuer.url, audiences: ['lockkeeper'], certificateAuthority: issuer.certificateAuthority},
      claimMappings: {username: {claim: 'sub', prefix: 'agent:'}, groups: {claim: 'groups', prefix: ''}},
    });
    await writeFile(file, stringify(configuration));
    const client = stack.client({token: await issuer.token({groups: [agentGroup]})});
    await eventually(async () => expect((await client.call('/version')).status).toBe(200));
  });
  afterEach(() => {
    for (const session of sessions) session.kill();
    sessions.clear();
  });
  afterAll(async () => {
    await stack?.stop();
    await issuer?.stop();
  });

  function exec(transport: PodStreamTransport, pod: string, command: readonly string[], kubeconfig = stack.kubeconfig) {
    const args = ['exec', `--namespace=${namespace}`, '-i', pod, '--', ...command];
    const session = new Session(stack.cluster, {kubeconfig, transport, args});
    sessions.add(session);
    return session;
  }

  async function begun(...args: Parameters<typeof exec>): Promise<Session> {
    const session = exec(...args);
    await eventually(() => expect(session.stdout + session.stderr).toContain('begun'));
    return session;
  }

  /** Waits for the end, which must come in time, and gives it. */
  async function endOf(session: Session, since = performance.now()): Promise<SessionEnd> {
    const end = await session.ended;
    expect(performance.now() - since).toBeLessThan(promisedMilliseconds);
    expect(end.code).not.toBe(0);
    return end;
  }

  /** The AccessRequest that a refused exec names, approved. */
  async function approved(session: Session): Promise<string> {
    const {code, stderr} = await session.ended;
    expect({code, stderr}).toEqual({code: 1, stderr: expect.stringContaining('waits for approval')});
    const name = /AccessRequest payments\/([a-z0-9.-]+)/.exec(stderr)?.[1] ?? '';
    await approvers.approve(alice, name);
    return name;
  }

  function revoke(name: string): Promise<string> {
    const patch = JSON.stringify({status: {decision: {outcome: 'Revoked', reason: 'the incident is over'}}});
    return stack.cluster
      .kubeconfigFor(alice)
      .then((kubeconfig) =>
        stack.cluster.mustKubectl(
          ['patch', 'accessrequest', name, '-n', namespace, '--subresource=status', '--type=merge', '-p', patch],
          {kubeconfig},
        ),
      );
  }

  describe.each(podStreamTransports)('over %s', (transport) => {
    const other: PodStreamTransport = transport === 'SPDY' ? 'WebSocket' : 'SPDY';

    test('ends when a policy denies it', async () => {
      const session = await begun(transport, 'open', forever);
      const freeze: AgentAccessPolicySpec = {
        subjects: [{kind: 'User', name: '*'}],
        rules: [
          {
            name: 'frozen',
            effect: 'Deny',
            message: 'frozen for the incident',
            operations: [{verbs: ['create'], apiGroups: [''], resources: ['pods'], subresources: ['exec']}],
          },
        ],
      };
      const object = {
        apiVersion: 'lockkeeper.dev/v1alpha1',
        kind: 'AgentAccessPolicy',
        metadata: {name: 'freeze', namespace: rootNamespace},
        spec: freeze,
      };
      await stack.cluster.mustKubectl(['apply', '-f', '-'], {input: stringify(object)});
      try {
        const {stderr} = await endOf(session);
        expect(stderr).toContain('frozen for the incident');
        expect((await exec(transport, 'open', ['true']).ended).stderr).toContain('frozen for the incident');
      } finally {
        await stack.cluster.mustKubectl(['delete', 'agentaccesspolicy', 'freeze', '-n', rootNamespace]);
      }
      await eventually(async () => expect((await exec(transport, 'open', ['true']).ended).code).toBe(0));
    });

    test('ends when its token expires', async () => {
      const now = Math.floor(Date.now() / 1000);
      const token = await issuer.token({sub: 'short', groups: [agentGroup], iat: now, exp: now + 8});
      const kubeconfig = parse(await readFile(stack.kubeconfig, 'utf8')) as {users: {user: unknown}[]};
      (kubeconfig.users[0] as {user: unknown}).user = {token};
      const file = path.join(stack.environment.directory, `short-${transport}.kubeconfig`);
      await writeFile(file, stringify(kubeconfig));
      const session = await begun(transport, 'open', forever, file);
      const {stderr} = await endOf(session, performance.now() + (now + 8) * 1000 - Date.now());
      expect(stderr).toContain('expired');
    });

    test('an approval is for the exact command, once, whatever the transport; and ends when it is revoked', async () => {
      const command = ['sh', '-c', `echo begun over ${transport}; cat`];
      const name = await approved(exec(transport, 'asked', command));
      const another = await exec(transport, 'asked', [...command, 'x']).ended;
      expect(another.stderr).toContain('waits for approval');
      expect(another.stderr).not.toContain(name);
      const session = await begun(other, 'asked', command);
      const again = await exec(transport, 'asked', command).ended;
      expect(again.stderr).toContain('waits for approval');
      expect(again.stderr).not.toContain(name);
      await revoke(name);
      const {stderr} = await endOf(session);
      expect(stderr).toContain('the incident is over');
    });

    test('a grant for a window ends its streams when it is revoked, and is good for nothing then', async () => {
      const name = await approved(exec(transport, 'window', forever));
      const live = await Promise.all([begun(transport, 'window', forever), begun(other, 'window', forever)]);
      await revoke(name);
      for (const session of live) expect((await endOf(session)).stderr).toContain('revoked');
      const {stderr} = await exec(transport, 'window', forever).ended;
      expect(stderr).toContain('waits for approval');
      expect(stderr).not.toContain(name);
    });

    test('ends when its AccessRequest is deleted', async () => {
      const command = ['sh', '-c', `echo begun until deleted ${transport}; cat`];
      const name = await approved(exec(transport, 'asked', command));
      const session = await begun(transport, 'asked', command);
      await stack.cluster.mustKubectl(['delete', 'accessrequest', name, '-n', namespace]);
      await endOf(session);
    });
  });

  test('ends when its grant expires', async () => {
    const name = await approved(exec('WebSocket', 'brief', forever));
    const session = await begun('WebSocket', 'brief', forever);
    const expiresAt = await stack.cluster.mustKubectl([
      'get',
      'accessrequest',
      name,
      '-n',
      namespace,
      '-o',
      'jsonpath={.spec.expiresAt}',
    ]);
    const {stderr} = await endOf(session, performance.now() + Date.parse(expiresAt) - Date.now());
    expect(Date.now()).toBeGreaterThan(Date.parse(expiresAt) - 1_000);
    expect(stderr).toContain('expired');
  });

  test('ends when the disk for recordings is full, and another does not begin', async () => {
    const directory = path.join(stack.environment.directory, 'small-disk');
    await mkdir(directory);
    await run('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', directory]);
    try {
      const proxy = await stack.startProxy('small-disk', [`--recording-directory=${directory}/recordings`]);
      const kubeconfig = path.join(stack.environment.directory, 'small-disk.kubeconfig');
      const text = await readFile(stack.kubeconfig, 'utf8');
      await writeFile(kubeconfig, text.replaceAll(stack.environment.gatewayURL, proxy.url));
      const session = exec('WebSocket', 'open', ['sh', '-c', 'yes 0123456789abcdef'], kubeconfig);
      const {code, stderr} = await session.ended;
      expect(code).not.toBe(0);
      expect(stderr).toContain('cannot be recorded');
      expect(session.bytes).toBeGreaterThan(0);
      expect(session.bytes).toBeLessThan(256 * 1024);
      const next = await exec('SPDY', 'open', ['true'], kubeconfig).ended;
      expect(next.stderr).toContain('cannot be recorded');
      await proxy.process.stop();
    } finally {
      await run('umount', ['--lazy', directory]);
    }
  });
});
