import {spawn} from 'node:child_process';
import {once} from 'node:events';
import {writeFile} from 'node:fs/promises';
import {createServer, type IncomingMessage, type Server, type ServerResponse} from 'node:http';
import {request as httpsRequest} from 'node:https';
import net, {type AddressInfo, type Socket} from 'node:net';
import path from 'node:path';
import {pipeline} from 'node:stream/promises';
import {afterAll, beforeAll, beforeEach, describe, expect, test} from '@jest/globals';
import {WebSocket} from 'ws';
import {stringify} from 'yaml';
import {failure} from '../../core/status.ts';
import type {StreamEnd, StreamRelay} from '../../proxy/stream/session.ts';
import {acceptWebSocket} from '../../proxy/stream/websocket/accept.ts';
import {relayCommandOverWebSocket} from '../../proxy/stream/websocket/commandrelay.ts';
import {webSocketDuplex} from '../../proxy/stream/websocket/duplex.ts';
import {relayPortForwardOverWebSocket} from '../../proxy/stream/websocket/portforwardrelay.ts';
import {forwardedPorts} from '../../proxy/stream/websocket/ports.ts';
import {
  type ChannelProtocol,
  commandProtocols,
  portForwardProtocols,
  relayableSubprotocols,
  tunnelProtocol,
} from '../../proxy/stream/websocket/protocols.ts';
import {openWebSocketUpstream} from '../../proxy/stream/websocket/upstream.ts';
import type {Cluster} from '../cluster/cluster.ts';
import {describeWithNode} from '../cluster/node/describe.ts';
import {startPod} from '../cluster/node/pod.ts';
import {sharedNodeCluster} from '../cluster/node/shared.ts';
import {eventually} from '../eventually.ts';
import {Peer, PlayedCommand, PlayedPortForward} from '../proxy/websockets.ts';

/** Often, so that every stream here meets pings of the relays. */
const pingMilliseconds = 20;

/** The relays between clients and the real API server, without all else that the proxy does. */
class RelayServer {
  readonly #cluster: Cluster;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  relays: StreamRelay[] = [];
  ends: StreamEnd[] = [];
  sessions: (PlayedCommand | PlayedPortForward)[] = [];
  refused: (number | undefined)[] = [];
  protocols: string[] = [];

  private constructor(cluster: Cluster) {
    this.#cluster = cluster;
    this.#server = createServer((request, response) => this.#pass(request, response));
    this.#server.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
    });
    this.#server.on('upgrade', (request, socket, head) => {
      this.#upgrade(request, socket as Socket, head).catch((error) => socket.destroy(error));
    });
  }

  static async start(cluster: Cluster): Promise<RelayServer> {
    const server = new RelayServer(cluster);
    server.#server.listen(0, '127.0.0.1');
    await once(server.#server, 'listening');
    return server;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  forget(): void {
    this.relays = [];
    this.ends = [];
    this.sessions = [];
    this.refused = [];
    this.protocols = [];
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }

  get #tls() {
    const {certificate: cert, key} = this.#cluster.adminClient;
    return {ca: this.#cluster.ca, cert, key};
  }

  #pass(request: IncomingMessage, response: ServerResponse): void {
    const {host: _, connection: __, ...headers} = request.headers;
    const url = this.#cluster.serverURL + request.url;
    const options = {...this.#tls, method: request.method, headers};
    const call = httpsRequest(url, options, (answer) => {
      response.writeHead(answer.statusCode ?? 0, answer.headers);
      answer.pipe(response);
    });
    request.pipe(call);
  }

  async #upgrade(request: IncomingMessage, socket: Socket, head: Buffer): Promise<void> {
    if (request.headers.upgrade?.toLowerCase() !== 'websocket') {
      socket.end('HTTP/1.1 501 Not Implemented\r\nContent-Length: 0\r\nConnection: close\r\n\r\n');
      return;
    }
    const url = request.url ?? '';
    const forwards = /\/portforward(\?|$)/.test(url);
    const known = forwards ? new Set([...portForwardProtocols.keys(), tunnelProtocol]) : commandProtocols;
    const answer = await openWebSocketUpstream(
      {origin: this.#cluster.serverURL, tls: this.#tls},
      {
        path: url,
        headers: [],
        subprotocols: relayableSubprotocols(request.headers['sec-websocket-protocol'], known) ?? [],
        signal: new AbortController().signal,
      },
    );
    if (answer.kind === 'Refused') {
      this.refused.push(answer.response.statusCode);
      socket.write(`HTTP/1.1 ${answer.response.statusCode} Refused\r\nConnection: close\r\n\r\n`);
      await pipeline(answer.response, socket);
      return;
    }
    this.protocols.push(answer.protocol);
    const agent = acceptWebSocket(request, socket, head, answer.protocol);
    if (answer.protocol === tunnelProtocol) {
      const near = webSocketDuplex(agent, pingMilliseconds);
      await pipeline(near, webSocketDuplex(answer.socket, pingMilliseconds), near);
      return;
    }
    const sides = {agent, upstream: answer.socket, pingMilliseconds};
    const relay = forwards
      ? this.#portForward({...sides, protocol: portForwardProtocols.get(answer.protocol) as ChannelProtocol}, url)
      : this.#command({...sides, protocol: commandProtocols.get(answer.protocol) as ChannelProtocol});
    this.relays.push(relay);
    this.ends.push(await relay.done);
  }

  #command(sides: Omit<Parameters<typeof relayCommandOverWebSocket>[0], 'session' | 'stdin'>): StreamRelay {
    const session = new PlayedCommand();
    this.sessions.push(session);
    return relayCommandOverWebSocket({...sides, session, stdin: true});
  }

  #portForward(
    sides: Omit<Parameters<typeof relayPortForwardOverWebSocket>[0], 'session' | 'ports'>,
    url: string,
  ): StreamRelay {
    const session = new PlayedPortForward();
    this.sessions.push(session);
    return relayPortForwardOverWebSocket({...sides, session, ports: forwardedPorts(url) ?? []});
  }
}

describeWithNode('streams over WebSocket', () => {
  let cluster: Cluster;
  let namespace: string;
  let server: RelayServer;
  let kubeconfig: string;

  beforeAll(async () => {
    cluster = sharedNodeCluster();
    namespace = await cluster.createNamespace('websocket');
    server = await RelayServer.start(cluster);
    kubeconfig = path.join(cluster.dataDirectory, `${namespace}.kubeconfig`);
    const config = {
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [{name: 'relay', cluster: {server: server.url}}],
      contexts: [{name: 'relay', context: {cluster: 'relay', namespace}}],
      'current-context': 'relay',
    };
    await writeFile(kubeconfig, stringify(config));
    await startPod(cluster, {
      namespace,
      name: 'box',
      containers: [
        {name: 'main', command: ['nc', '-ll', '-p', '8080', '-e', 'cat']},
        {name: 'echo', command: ['cat'], stdin: true, stdinOnce: true},
      ],
    });
  }, 60_000);

  afterAll(() => server.stop());
  beforeEach(() => server.forget());

  const kubectl = (args: readonly string[], input?: string) =>
    cluster.kubectl(args, {kubeconfig, ...(input !== undefined && {input})});

  /** A client of our own, for what kubectl does not speak. */
  async function dial(subresource: string, query: string, protocols: string[]): Promise<Peer> {
    const url = `${server.url}/api/v1/namespaces/${namespace}/pods/box/${subresource}?${query}`;
    const socket = new WebSocket(url, protocols, {perMessageDeflate: false});
    const peer = new Peer(socket);
    await once(socket, 'open');
    return peer;
  }

  const command = (...words: string[]) =>
    ['container=main', ...words.map((word) => `command=${encodeURIComponent(word)}`)].join('&');

  describe('kubectl', () => {
    test('exec: input, its end, both outputs and the exit code', async () => {
      const script = ['--', 'sh', '-c', 'cat; echo oops >&2; exit 7'];
      expect(await kubectl(['exec', '--stdin', 'box', '--container=main', ...script], 'typed')).toEqual({
        code: 7,
        stdout: 'typed',
        stderr: expect.stringMatching(/^oops\n.*exit code 7/s),
      });
      expect(server.protocols).toEqual(['v5.channel.k8s.io']);
      await eventually(() => expect(server.ends).toEqual([{by: 'Upstream'}]));
      expect((server.sessions[0] as PlayedCommand).heard).toEqual(['stdin typed']);
    });

    test('exec without a word succeeds', async () => {
      expect(await kubectl(['exec', 'box', '--container=main', '--', 'true'])).toEqual({
        code: 0,
        stdout: '',
        stderr: '',
      });
    });

    test('attach: until its input ends', async () => {
      const attach = await kubectl(['attach', '--stdin', 'box', '--container=echo'], 'typed\n');
      expect(attach.stdout).toBe('typed\n');
    });

    test('64 MiB in and out', async () => {
      const bytes = 64 * 1024 * 1024;
      const exec = [
        'exec',
        '--stdin',
        'box',
        '--container=main',
        '--',
        'sh',
        '-c',
        'wc -c >&2; head -c 67108864 /dev/zero',
      ];
      const {code, stdout, stderr} = await kubectl(exec, 'x'.repeat(bytes));
      expect([code, stdout.length, stderr.trim()]).toEqual([0, bytes, String(bytes)]);
      expect((server.sessions[0] as PlayedCommand).stdinBytes).toBe(bytes);
    }, 60_000);

    test('says why the proxy ended the stream', async () => {
      const running = kubectl(['exec', 'box', '--container=main', '--', 'sh', '-c', 'echo begun; sleep 60']);
      await eventually(() => expect((server.sessions[0] as PlayedCommand).outputs.size).toBe(1));
      server.relays[0]?.end(failure(403, 'the grant was revoked by its approver'));
      const {code, stdout, stderr} = await running;
      expect([code, stdout]).toEqual([1, 'begun\n']);
      expect(stderr).toContain('the grant was revoked by its approver');
      await eventually(() => expect(server.ends).toEqual([{by: 'Proxy'}]));
    });

    test('says why the API server refused', async () => {
      const {code, stderr} = await kubectl(['exec', 'box', '--container=absent', '--', 'true']);
      expect(code).toBe(1);
      expect(stderr).toContain('container absent is not valid');
    });

    test('port-forward: a SPDY connection inside', async () => {
      const args = ['port-forward', 'pod/box', ':8080', '--address=127.0.0.1'];
      const child = spawn(cluster.kubectlPath, args, {env: cluster.kubectlEnvironment(kubeconfig)});
      try {
        const [line] = (await once(child.stdout, 'data')) as [Buffer];
        const port = Number(/127\.0\.0\.1:(\d+)/.exec(line.toString())?.[1]);
        for (const word of ['one', 'two']) {
          const socket = net.connect(port, '127.0.0.1');
          socket.write(word);
          expect(String((await once(socket, 'data'))[0])).toBe(word);
          socket.destroy();
        }
        expect(server.protocols).toEqual([tunnelProtocol]);
      } finally {
        child.kill();
      }
    });
  });

  describe('a client of the protocol', () => {
    const older = [...commandProtocols.values()].filter(({closesChannels}) => !closesChannels);

    test.each(older.map((protocol) => [protocol.name, protocol] as const))('"%s": exec', async (name, protocol) => {
      const script = 'read word; echo $word; echo oops >&2; exit 7';
      const query = `${command('sh', '-c', script)}&stdin=true&stdout=true&stderr=true`;
      const peer = await dial('exec', query, name === '' ? [] : [name]);
      peer.socket.send(
        protocol.base64 ? `0${Buffer.from('typed\n').toString('base64')}` : Buffer.from('\u0000typed\n'),
      );
      expect(await peer.closed).toBe(1000);
      const read = peer.messages.map(({data, isBinary}) => {
        expect(isBinary).toBe(!protocol.base64);
        const bytes = data.subarray(1);
        const channel = (data[0] ?? 0) - (protocol.base64 ? 0x30 : 0);
        return `${channel}:${protocol.base64 ? Buffer.from(String(bytes), 'base64') : bytes}`;
      });
      expect(read[0]).toBe('1:');
      expect(read.slice(1).toSorted()).toEqual(['1:typed\n', '2:oops\n', expect.stringMatching(/^3:.*exit code 7/)]);
      expect(read.at(-1)).toMatch(/^3:/);
    });

    test.each([...portForwardProtocols.values()].map((protocol) => [protocol.name, protocol] as const))(
      '"%s": port-forward',
      async (name, {base64}) => {
        const peer = await dial('portforward', 'ports=8080,8080', name === '' ? [] : [name]);
        for (const [channel, text] of [
          [0, 'one'],
          [2, 'two'],
        ] as const) {
          peer.socket.send(
            base64
              ? `${channel}${Buffer.from(text).toString('base64')}`
              : Buffer.from(String.fromCharCode(channel) + text),
          );
        }
        const read = await eventually(() => {
          expect(peer.messages).toHaveLength(6);
          return peer.messages.map(({data}) => {
            const bytes = base64 ? Buffer.from(String(data.subarray(1)), 'base64') : data.subarray(1);
            return `${(data[0] ?? 0) - (base64 ? 0x30 : 0)}:${bytes.toString('latin1')}`;
          });
        });
        expect(read.slice(0, 4)).toEqual(['0:\x90\x1f', '1:\x90\x1f', '2:\x90\x1f', '3:\x90\x1f']);
        expect(read.slice(4).toSorted()).toEqual(['0:one', '2:two']);
        peer.socket.close(1000);
        await eventually(() => expect(server.ends).toEqual([{by: 'Agent'}]));
      },
    );

    test('a TTY and its size', async () => {
      const query = `${command('sh', '-c', 'until stty size 2>/dev/null | grep .; do sleep 0.1; done')}&stdin=true&stdout=true&tty=true`;
      const peer = await dial('exec', query, ['v5.channel.k8s.io']);
      peer.socket.send(Buffer.from('\u0004{"Width":123,"Height":45}'));
      expect(await peer.closed).toBe(1000);
      expect(peer.texts.join('')).toContain('45 123');
    });

    test('an agent that leaves ends its command', async () => {
      const peer = await dial('exec', `${command('sh', '-c', 'echo $$; cat')}&stdin=true&stdout=true`, [
        'v5.channel.k8s.io',
      ]);
      const pid = await eventually(() => {
        const [, said] = peer.texts;
        expect(said).toMatch(/^1:\d+/);
        return (said ?? '').slice(2).trim();
      });
      peer.socket.terminate();
      await eventually(async () => {
        const {code} = await kubectl(['exec', 'box', '--container=main', '--', 'test', '-e', `/proc/${pid}`]);
        expect(code).toBe(1);
      });
    });
  });
});
