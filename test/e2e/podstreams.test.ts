import {createHash, randomBytes} from 'node:crypto';
import {readFile, writeFile} from 'node:fs/promises';
import net from 'node:net';
import path from 'node:path';
import {afterAll, afterEach, beforeAll, describe, expect, jest, test} from '@jest/globals';
import {residentMegabytes} from '../bench/cpu.ts';
import {describeWithNode} from '../cluster/node/describe.ts';
import {startPod} from '../cluster/node/pod.ts';
import {eventually} from '../eventually.ts';
import {freePorts} from '../freeports.ts';
import {type PodStreamTransport, podStreamTransports, Session, type SessionOptions} from './session.ts';
import {type AuditEvent, allowEverything, namespace, Stack} from './stack.ts';

jest.setTimeout(120_000);

const card = '4111111111111111';
const masked = '************1111';
const megabytes = 64;

describeWithNode('streams into pods', () => {
  let stack: Stack;
  const sessions = new Set<Session>();

  beforeAll(async () => {
    const policy = {...allowEverything(), masking: [{name: 'cards', detector: 'PAN' as const}]};
    stack = await Stack.start({node: true, policies: {everything: policy}});
    await startPod(stack.cluster, {
      namespace,
      name: 'box',
      containers: [
        {name: 'main', command: ['sh', '-c', `echo paid with ${card}; exec nc -ll -p 8080 -e cat`]},
        {name: 'echo', command: ['cat'], stdin: true},
      ],
    });
  });
  afterEach(() => {
    for (const session of sessions) session.kill();
    sessions.clear();
  });
  afterAll(() => stack?.stop());

  function start(transport: PodStreamTransport, args: readonly string[], how: SessionOptions = {}): Session {
    const options = {kubeconfig: stack.kubeconfig, transport, args: [`--namespace=${namespace}`, ...args]};
    const session = new Session(stack.cluster, options, how);
    sessions.add(session);
    return session;
  }

  async function run(transport: PodStreamTransport, args: readonly string[], input = '') {
    const session = start(transport, args);
    session.child.stdin.end(input);
    return session.ended;
  }

  /** The last event of the last stream, once its outcome is on record. */
  async function outcomeOf(part: string): Promise<AuditEvent> {
    return eventually(async () => {
      const events = (await stack.records()).filter(({requestURI}) => requestURI.includes(part));
      const last = events.at(-1);
      if (last?.stage !== 'ResponseComplete') throw new Error(`no outcome of ${part} yet`);
      return last;
    });
  }

  async function recordingOf({annotations = {}}: AuditEvent): Promise<Buffer> {
    const name = annotations['lockkeeper.dev/recording'] ?? '';
    return readFile(path.join(path.dirname(stack.environment.auditLogPath), 'recordings', name));
  }

  describe.each(podStreamTransports)('over %s', (transport) => {
    const mark = randomBytes(4).toString('hex');

    test('exec gives output, errors and the exit code, masked', async () => {
      const script = `echo out ${card}; echo err ${card} >&2; exit 3`;
      const {code, stdout, stderr} = await run(transport, ['exec', 'box', '-c', 'main', '--', 'sh', '-c', script]);
      expect({code, stdout}).toEqual({code: 3, stdout: `out ${masked}\n`});
      expect(stderr).toContain(`err ${masked}\n`);
      expect(stderr).not.toContain(card);
    });

    test('a card that a command prints in pieces is masked', async () => {
      const script = 'for part in 4111 1111 1111 1111; do printf $part; sleep 0.02; done';
      const {stdout} = await run(transport, ['exec', 'box', '-c', 'main', '--', 'sh', '-c', script]);
      expect(stdout).not.toContain(card);
      expect(stdout).toHaveLength(16);
    });

    test('pitfall 17: the end of the input is the end of the input', async () => {
      const {code, stdout} = await run(
        transport,
        ['exec', '-i', 'box', '-c', 'main', '--', 'wc', '-c'],
        'x'.repeat(70_000),
      );
      expect({code, stdout: stdout.trim()}).toEqual({code: 0, stdout: '70000'});
    });

    test('what is typed at a terminal comes back at once, and the terminal ends with its shell', async () => {
      const session = start(transport, ['exec', '-it', 'box', '-c', 'main', '--', 'sh'], {terminal: true});
      session.child.stdin.write('echo $((6 * 7)); tty\n');
      await eventually(() => expect(session.stdout).toMatch(/42\r\n[\s\S]*\/dev\/pts/));
      session.child.stdin.write('exit 5\n');
      expect((await session.ended).code).toBe(5);
    });

    test('attach reads and writes', async () => {
      const session = start(transport, ['attach', '-i', 'box', '-c', 'echo']);
      session.child.stdin.write(`${mark} ${card}\n`);
      await eventually(() => expect(session.stdout).toContain(`${mark} ${masked}\n`));
      session.kill();
      const {annotations} = await outcomeOf('/attach');
      expect(annotations?.['lockkeeper.dev/recording']).toMatch(/\.cast$/);
    });

    test('pitfall 17: kubectl cp brings files there and back', async () => {
      const file = path.join(stack.environment.directory, `cp-${mark}`);
      const content = randomBytes(300_000).toString('base64');
      await writeFile(file, content);
      const there = await run(transport, ['cp', file, `box:/tmp/${mark}`, '-c', 'main']);
      expect(there).toMatchObject({code: 0});
      const back = await run(transport, ['cp', `box:/tmp/${mark}`, `${file}-back`, '-c', 'main']);
      expect(back).toMatchObject({code: 0});
      expect(await readFile(`${file}-back`, 'utf8')).toBe(content);
    });

    test('port-forward carries several connections, masks what comes from the pod, and keeps a log of them', async () => {
      const [port] = await freePorts();
      const session = start(transport, ['port-forward', 'pod/box', `${port}:8080`]);
      await eventually(() => expect(session.stdout).toContain('Forwarding from 127.0.0.1'));
      const answers = await Promise.all(['one', card, 'three'].map((text) => exchanged(port, `${text}\n`)));
      expect(answers).toEqual(['one\n', `${masked}\n`, 'three\n']);
      session.kill();
      const outcome = await outcomeOf('/portforward');
      const lines = (await recordingOf(outcome))
        .toString()
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line));
      expect(lines.filter(({event}) => event === 'Opened')).toHaveLength(3);
      expect(
        lines
          .filter(({event}) => event === 'Closed')
          .map(({receivedBytes}) => receivedBytes)
          .sort(),
      ).toEqual([17, 4, 6]);
    });

    test(`${megabytes} MB each way arrive whole, and the gateway does not grow with them`, async () => {
      const before = residentMegabytes(stack.environment.gateway.pid);
      const session = start(transport, ['exec', '-i', 'box', '-c', 'main', '--', 'cat'], {keep: false});
      const sent = createHash('sha256');
      // Letters alone: among random digits there are numbers that look like cards.
      const chunk = randomBytes(512 * 1024)
        .toString('hex')
        .replace(/[0-9]/g, 'x');
      for (let at = 0; at < megabytes; at++) {
        sent.update(chunk);
        if (!session.child.stdin.write(chunk))
          await new Promise((resolve) => session.child.stdin.once('drain', resolve));
      }
      session.child.stdin.end();
      expect((await session.ended).code).toBe(0);
      expect(session.bytes).toBe(megabytes * chunk.length);
      expect(session.hash.digest('hex')).toBe(sent.digest('hex'));
      expect(residentMegabytes(stack.environment.gateway.pid) - before).toBeLessThan(150);
    });

    test('what the API server refuses comes with its Status', async () => {
      const {code, stderr} = await run(transport, ['exec', 'nobody', '--', 'true']);
      expect(code).toBe(1);
      expect(stderr).toContain('pods "nobody" not found');
      const container = await run(transport, ['exec', 'box', '-c', 'nobody', '--', 'true']);
      expect(container.stderr).toContain('container nobody is not valid for pod box');
    });

    test('the recording holds what the agent saw, and the record vouches for it', async () => {
      await run(transport, ['exec', 'box', '-c', 'main', '--', 'sh', '-c', `echo ${mark} ${card}`]);
      const outcome = await outcomeOf(`command=echo+${mark}`);
      expect(outcome.responseStatus?.code).toBe(101);
      const recording = await recordingOf(outcome);
      const digest = createHash('sha256').update(recording).digest('hex');
      expect(outcome.annotations).toMatchObject({
        'lockkeeper.dev/recording-sha256': digest,
        'lockkeeper.dev/recording-bytes': String(recording.length),
        'lockkeeper.dev/masked': '{"PAN":1}',
      });
      const [header, ...events] = recording
        .toString()
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line));
      expect(header).toMatchObject({version: 2, lockkeeper: {auditID: outcome.auditID, pod: 'box', container: 'main'}});
      expect(
        events
          .filter(([, code]) => code === 'o')
          .map(([, , text]) => text)
          .join(''),
      ).toBe(`${mark} ${masked}\n`);
    });
  });

  test('logs are followed, masked', async () => {
    const session = start('WebSocket', ['logs', '-f', 'box', '-c', 'main']);
    await eventually(() => expect(session.stdout).toBe(`paid with ${masked}\n`));
  });

  test('a proxy that is killed leaves what was seen until then', async () => {
    const proxy = await stack.startProxy('killed', []);
    const kubeconfig = path.join(stack.environment.directory, 'killed.kubeconfig');
    await writeFile(
      kubeconfig,
      (await readFile(stack.kubeconfig, 'utf8')).replaceAll(stack.environment.gatewayURL, proxy.url),
    );
    const args = ['exec', `--namespace=${namespace}`, 'box', '-c', 'main', '--', 'sh', '-c', 'echo seen; sleep 60'];
    const session = new Session(stack.cluster, {kubeconfig, transport: 'WebSocket', args});
    sessions.add(session);
    await eventually(() => expect(session.stdout).toBe('seen\n'));
    await proxy.process.stop('SIGKILL');
    expect((await session.ended).code).not.toBe(0);
    const [intent] = (await stack.records(proxy.auditLogPath)).filter(({requestURI}) => requestURI.includes('/exec'));
    const recording = await recordingOf(intent as AuditEvent);
    expect(recording.toString()).toContain('"o", "seen');
  });

  test('a stream by another door does not open', async () => {
    const upgrade = {
      connection: 'Upgrade',
      upgrade: 'websocket',
      'sec-websocket-version': '13',
      'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
    };
    const base = `/api/v1/namespaces/${namespace}`;
    for (const target of [`${base}/pods/box/proxy/`, `${base}/services/box/proxy/`, '/api/v1/nodes/node/proxy/run/x']) {
      const {status} = await stack.agent.call(target, {headers: upgrade});
      expect([target, status]).toEqual([target, 403]);
    }
    const {status, failure} = await stack.agent.call(`${base}/pods/box/log`, {headers: upgrade});
    expect([status, failure.message]).toEqual([501, expect.stringContaining('only exec, attach and port-forward')]);
  });

  /** Sends a line over a connection of its own and gives the line that comes back. */
  async function exchanged(port: number, text: string): Promise<string> {
    const socket = net.connect(port, '127.0.0.1');
    socket.write(text);
    let received = '';
    for await (const chunk of socket) {
      received += chunk;
      if (received.length >= text.length) break;
    }
    return received;
  }
});
