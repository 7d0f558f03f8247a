import {execFile} from 'node:child_process';
import {readFile, stat, writeFile} from 'node:fs/promises';
import http from 'node:http';
import path from 'node:path';
import {promisify} from 'node:util';
import {afterAll, beforeAll, describe, expect, jest, test} from '@jest/globals';
import {createAuthority, issueCertificate} from '../cluster/certificates.ts';
import {root, rootNamespace} from '../environment/environment.ts';
import {eventually} from '../eventually.ts';
import {freePorts} from '../freeports.ts';
import {AgentClient, type Answer, collect} from './client.ts';
import {allowEverything, configMap, type FurtherProxy, namespace, Stack} from './stack.ts';
import {Upstream} from './upstream.ts';

jest.setTimeout(120_000);

const run = promisify(execFile);
const configMaps = `/api/v1/namespaces/${namespace}/configmaps`;
const secrets = `/api/v1/namespaces/${namespace}/secrets`;
const json = {'content-type': 'application/json'};
const maximumStalenessSeconds = 7;

let stack: Stack;

beforeAll(async () => {
  stack = await Stack.start({
    audited: true,
    policies: {
      everything: allowEverything(),
      'ask-first': {
        subjects: [{kind: 'User', name: '*'}],
        rules: [
          {
            name: 'read-secrets',
            effect: 'RequireApproval',
            operations: [{verbs: ['get', 'list'], apiGroups: [''], resources: ['secrets']}],
            approval: {},
          },
        ],
      },
    },
    proxyFlags: [`--maximum-staleness=${maximumStalenessSeconds}s`],
  });
});

afterAll(() => stack?.stop());

function create(client: AgentClient, name: string): Promise<Answer> {
  return client.call(configMaps, {method: 'POST', body: configMap(name)});
}

/** What the proxy says of its own readiness. */
async function readiness({metricsPort}: Pick<FurtherProxy, 'metricsPort'>): Promise<{code: number; text: string}> {
  const response = await new Promise<http.IncomingMessage>((resolve, reject) => {
    http.get({host: '127.0.0.1', port: metricsPort, path: '/readyz', agent: false}, resolve).once('error', reject);
  });
  return {code: response.statusCode ?? 0, text: (await collect(response)).toString()};
}

/** Gives what `lockkeeper audit verify` prints; throws where the log is not whole. */
async function verify(...args: string[]): Promise<string> {
  const command = [path.join(root, 'cli/main.ts'), 'audit', 'verify', ...args];
  const {stdout} = await run(process.execPath, command).catch((error: {stdout: string}) => {
    throw new Error(error.stdout);
  });
  return stdout;
}

/** Calls of agents that the API server saw and whose intent is neither in the gateway's log nor in that other one. */
async function arrivedUnrecorded(otherLog: string) {
  const events = [...(await stack.records()), ...(await stack.records(otherLog))];
  const intents = new Set(events.filter(({stage}) => stage === 'RequestReceived').map(({auditID}) => auditID));
  const arrived = (await stack.arrived()).filter(({impersonatedUser}) => impersonatedUser !== undefined);
  expect(arrived.length).toBeGreaterThan(0);
  return arrived.filter(({auditID}) => !intents.has(auditID));
}

describe('without a bundle', () => {
  test('everything is denied and the proxy is not ready', async () => {
    const [unused] = await freePorts();
    const proxy = await stack.spawnProxy('no-operator', [`--control-url=https://127.0.0.1:${unused}`]);
    const client = stack.client({url: proxy.url});
    const answer = await eventually(() => client.call('/version'));
    expect(answer.status).toBe(503);
    expect(answer.headers['retry-after']).toBeDefined();
    expect(answer.failure.message).toContain('no policy has reached this proxy yet');
    expect(await readiness(proxy)).toEqual({code: 503, text: expect.stringContaining('[-]bundle not ready')});
  });
});

describe('while the operator is away', () => {
  test('reads go on, approvals cannot be asked for, writes wait past the maximum staleness, and all resumes', async () => {
    await stack.environment.operator.stop();
    expect((await create(stack.agent, 'soon-after')).status).toBe(201);
    const unasked = await stack.agent.call(secrets);
    expect(unasked.status).toBe(503);
    expect(unasked.failure.message).toContain('approval cannot be asked for');

    const refused = await eventually(async () => {
      const answer = await stack.agent.call(`${configMaps}?dryRun=All`, {method: 'POST', body: configMap('dry')});
      expect(answer.status).toBe(503);
      return answer;
    });
    expect((await create(stack.agent, 'long-after')).status).toBe(503);
    expect(refused.failure.message).toContain('the operator was last heard');
    expect((await stack.agent.call(configMaps)).status).toBe(200);
    for (const method of ['PUT', 'PATCH', 'DELETE']) {
      expect((await stack.agent.call(`${configMaps}/soon-after`, {method})).status).toBe(503);
    }

    await stack.environment.restartOperator();
    await eventually(async () => expect((await create(stack.agent, 'back-again')).status).toBe(201));
    const names = (await stack.direct().call(configMaps)).json<{items: {metadata: {name: string}}[]}>();
    expect(names.items.map(({metadata}) => metadata.name).sort()).toEqual(['back-again', 'soon-after']);
  });
});

describe('while the audit log cannot be written', () => {
  test('nothing reaches the API server; afterwards calls go on and the log is whole', async () => {
    const proxy = await stack.startProxy('limited', []);
    const client = stack.client({url: proxy.url});
    // Larger than the proxy's own log, which the limit holds for too.
    for (let call = 0; call < 40; call++) await client.call('/version');
    const limit = async (bytes: string) => {
      await run('prlimit', ['--pid', String(proxy.process.pid), `--fsize=${bytes}:unlimited`]);
    };
    // Room for the beginning of a line: it has to be cut off again.
    const {size} = await eventually(async () => {
      const first = await stat(proxy.auditLogPath);
      await new Promise((resolve) => setTimeout(resolve, 100));
      expect((await stat(proxy.auditLogPath)).size).toBe(first.size);
      return first;
    });
    await limit(String(size + 100));

    const answers = await Promise.all(Array.from({length: 50}, (_, index) => create(client, `unrecorded-${index}`)));
    expect(new Set(answers.map(({status}) => status))).toEqual(new Set([503]));
    expect(answers[0]?.failure.message).toContain('cannot be recorded');
    expect(await readiness(proxy)).toEqual({code: 503, text: expect.stringContaining('[-]audit not ready')});
    expect((await client.call('/version')).status).toBe(503);

    await limit('unlimited');
    await eventually(async () => expect((await create(client, 'recorded')).status).toBe(201));
    expect((await readiness(proxy)).code).toBe(200);
    await proxy.process.stop();
    expect(await verify(proxy.auditLogPath)).toContain('whole');
    const stored = (await stack.direct().call(configMaps)).text;
    expect(stored).toContain('recorded');
    expect(stored).not.toContain('unrecorded');
    expect(await arrivedUnrecorded(proxy.auditLogPath)).toEqual([]);
  });

  test.each([
    ['in a folder that is not there', () => '/nonexistent/audit.log', 'the folder must exist'],
    ['that another proxy writes', () => stack.environment.auditLogPath, 'another process holds'],
  ])('a log %s keeps the proxy from starting', async (what, file, words) => {
    const name = what.includes('another') ? 'same-log' : 'no-folder';
    const proxy = await stack.spawnProxy(name, [`--audit-log-file=${file()}`]);
    await eventually(() => expect(proxy.process.exitCode).toBe(1));
    expect(await proxy.process.lastWords()).toContain(words);
  });
});

describe('killed in the middle of its work', () => {
  test('the log is whole, and every call that the API server saw has its intent on record', async () => {
    for (let round = 0; round < 2; round++) {
      let stopped = false;
      let created = 0;
      const work = async (worker: number) => {
        for (let call = 0; !stopped; call++) {
          const answer = await create(stack.agent, `killed-${round}-${worker}-${call}`).catch(() => undefined);
          if (answer?.status === 201) created++;
        }
      };
      const workers = Array.from({length: 16}, (_, worker) => work(worker));
      await eventually(() => expect(created).toBeGreaterThan(100));
      await stack.environment.gateway.stop('SIGKILL');
      stopped = true;
      await Promise.all(workers);
      await stack.environment.restartGateway();
    }
    expect((await create(stack.agent, 'after-the-kill')).status).toBe(201);

    // Its last words to the operator are the head of its chain.
    await stack.environment.gateway.stop();
    await stack.environment.restartGateway();
    const checkpoints = path.join(stack.environment.directory, 'checkpoints.json');
    const flags = ['get', 'configmap', 'lockkeeper-audit-checkpoints', `--namespace=${rootNamespace}`, '-o', 'json'];
    await writeFile(checkpoints, await stack.cluster.mustKubectl(flags));
    // Every proxy that told the operator of its chain so far.
    const limited = path.join(stack.environment.directory, 'limited-audit.log');
    const verdict = await verify('--checkpoints', checkpoints, stack.environment.auditLogPath, limited);
    expect(verdict.match(/: whole: /g)).toHaveLength(2);
    const killed = (await stack.direct().call(configMaps)).text.match(/"name":"killed-/g) ?? [];
    expect(killed.length).toBeGreaterThan(200);
    expect(await arrivedUnrecorded(limited)).toEqual([]);
  });
});

describe('asked to end', () => {
  test('calls under way finish, watches end cleanly, and it exits with 0', async () => {
    const upstream = await Upstream.start(stack.environment.directory);
    try {
      const underWay: (() => void)[] = [];
      upstream.serve = (request, response) => {
        response.writeHead(200, json);
        if (request.url?.includes('watch')) {
          response.write('{"type":"ADDED"}\n');
          return;
        }
        response.write('{"items":');
        underWay.push(() => response.end('[]}'));
      };
      const proxy = await stack.startProxy('draining', upstream.flags);
      const client = stack.client({url: proxy.url});
      const session = client.session();
      const watches = [
        await client.open('/api/v1/pods?watch=1'),
        (await client.openOn(session, '/api/v1/pods?watch=1')).stream,
      ];
      const ends = watches.map((watch) => collect(watch));
      const list = client.call('/api/v1/pods');
      // A connection that the client means to use again must not hold the proxy up.
      const kept = await client.socket();
      kept.write(client.bytes('GET /api/v1/pods HTTP/1.1\nHost: gateway\nAuthorization: Bearer {token}\n\n'));
      const keptEnd = collect(kept);
      await eventually(() => expect(underWay).toHaveLength(2));

      const exit = proxy.process.stop('SIGTERM');
      for (const end of ends) expect((await end).toString()).toBe('{"type":"ADDED"}\n');
      await expect(client.call('/version')).rejects.toThrow();
      expect(proxy.process.exited).toBe(false);
      for (const answer of underWay) answer();
      expect((await list).text).toBe('{"items":[]}');
      expect((await keptEnd).toString()).toContain('HTTP/1.1 200 OK');
      await exit;
      expect(proxy.process.exitCode).toBe(0);
      session.destroy();
      const outcomes = (await stack.records(proxy.auditLogPath)).filter(({stage}) => stage === 'ResponseComplete');
      expect(outcomes.map(({verb, responseStatus}) => [verb, responseStatus?.code]).sort()).toEqual([
        ['list', 200],
        ['list', 200],
        ['watch', 200],
        ['watch', 200],
      ]);
      expect(await verify(proxy.auditLogPath)).toContain('whole');
    } finally {
      await upstream.stop();
    }
  });
});

describe('with as many calls under way as it takes', () => {
  test('another one gets 429 and when to come again; a watch does not count', async () => {
    const upstream = await Upstream.start(stack.environment.directory);
    try {
      const waiting: (() => void)[] = [];
      upstream.serve = (request, response) => {
        response.writeHead(200, json);
        if (request.url?.includes('watch')) response.write('{"type":"ADDED"}\n');
        else waiting.push(() => response.end('{}'));
      };
      const proxy = await stack.startProxy('full', [...upstream.flags, '--maximum-requests-in-flight=2']);
      const client = stack.client({url: proxy.url});
      const watches = [];
      for (let count = 0; count < 3; count++) watches.push(await client.open('/api/v1/pods?watch=1'));
      const calls = [client.call('/api/v1/pods'), client.call2('/api/v1/pods')];
      await eventually(() => expect(waiting).toHaveLength(2));
      const refused = await client.call('/api/v1/pods');
      expect(refused.status).toBe(429);
      expect(refused.headers['retry-after']).toBe('1');
      expect(refused.failure).toMatchObject({reason: 'TooManyRequests', details: {retryAfterSeconds: 1}});
      for (const answer of waiting.splice(0)) answer();
      for (const call of calls) expect((await call).status).toBe(200);
      const next = client.call('/api/v1/pods');
      await eventually(() => expect(waiting).toHaveLength(1));
      waiting[0]?.();
      expect((await next).status).toBe(200);
      for (const watch of watches) watch.destroy();
    } finally {
      await upstream.stop();
    }
  });
});

describe('when its certificate is replaced', () => {
  test('new connections see the new one, half of a pair changes nothing, and running calls go on', async () => {
    const {directory} = stack.environment;
    const [certificateFile, keyFile] = [path.join(directory, 'own.crt'), path.join(directory, 'own.key')];
    const pair = async () => {
      const authority = await createAuthority('rotated');
      const subject = {usage: 'server', names: ['localhost'], addresses: ['127.0.0.1']} as const;
      return {authority, serving: await issueCertificate(authority, subject)};
    };
    const [before, after] = [await pair(), await pair()];
    await writeFile(certificateFile, before.serving.certificate);
    await writeFile(keyFile, before.serving.key);
    const proxy = await stack.startProxy('certificate', [
      `--tls-certificate-file=${certificateFile}`,
      `--tls-private-key-file=${keyFile}`,
    ]);
    const client = ({authority}: typeof before) =>
      new AgentClient({url: proxy.url, ca: authority.certificate, token: stack.token});
    const watch = await client(before).open(`${configMaps}?watch=1&labelSelector=none=none`);
    await writeFile(certificateFile, after.serving.certificate);
    const ownLog = path.join(directory, 'certificate.log');
    await eventually(async () => expect(await readFile(ownLog, 'utf8')).toContain('certificate not reloaded'));
    expect((await client(before).call('/version')).status).toBe(200);
    await writeFile(keyFile, after.serving.key);
    await eventually(async () => expect((await client(after).call('/version')).status).toBe(200));
    await expect(client(before).call('/version')).rejects.toThrow();
    expect(watch.destroyed).toBe(false);
    watch.destroy();
  });
});
