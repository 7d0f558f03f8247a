import {setTimeout as sleep} from 'node:timers/promises';
import {afterAll, afterEach, beforeAll, describe, expect, test} from '@jest/globals';
import {failure} from '../../../core/status.ts';
import {eventually} from '../../../test/eventually.ts';
import {Loopback, Peer, PlayedCommand} from '../../../test/proxy/websockets.ts';
import type {StreamRelay} from '../session.ts';
import {relayCommandOverWebSocket} from './commandrelay.ts';
import {writeMessage} from './message.ts';
import {type ChannelProtocol, commandProtocols} from './protocols.ts';

let loopback: Loopback;
beforeAll(async () => {
  loopback = await Loopback.start();
});
afterAll(() => loopback.close());

interface World {
  /** kubectl's end. */
  readonly agent: Peer;
  /** The API server's end. */
  readonly upstream: Peer;
  readonly session: PlayedCommand;
  readonly relay: StreamRelay;
  readonly protocol: ChannelProtocol;
  fromAgent(channel: number, text: string): void;
  fromUpstream(channel: number, text: string): void;
}

const worlds: World[] = [];
afterEach(async () => {
  for (const {agent, upstream, relay} of worlds.splice(0)) {
    agent.socket.terminate();
    upstream.socket.terminate();
    await relay.done;
  }
});

/** An agent and an API server with the relay between them. */
async function world(name = 'v5.channel.k8s.io', pingMilliseconds = 30_000, stdin = true): Promise<World> {
  const protocol = commandProtocols.get(name);
  if (protocol === undefined) throw new Error(`no protocol ${name}`);
  const agentSide = await loopback.connect('server');
  const upstreamSide = await loopback.connect('client');
  const agent = new Peer(agentSide.client);
  const upstream = new Peer(upstreamSide.server);
  const session = new PlayedCommand();
  const relay = relayCommandOverWebSocket({
    agent: agentSide.server,
    upstream: upstreamSide.client,
    protocol,
    session,
    pingMilliseconds,
    stdin,
  });
  const made: World = {
    agent,
    upstream,
    session,
    relay,
    protocol,
    fromAgent: (channel, text) => agent.socket.send(writeMessage(protocol, channel, Buffer.from(text))),
    fromUpstream: (channel, text) => upstream.socket.send(writeMessage(protocol, channel, Buffer.from(text))),
  };
  worlds.push(made);
  return made;
}

/** The message as a client of the protocol reads it: channel, text, kind of frame. */
function read({protocol}: World, {data, isBinary}: {data: Buffer; isBinary: boolean}): [number, string, string] {
  const [channel = -1] = data;
  const frame = isBinary ? 'binary' : 'text';
  const bytes = data.subarray(1);
  return protocol.base64
    ? [channel - 0x30, String(Buffer.from(bytes.toString(), 'base64')), frame]
    : [channel, String(bytes), frame];
}

describe.each([...commandProtocols.keys()])('in the protocol "%s"', (name) => {
  const frame = name.includes('base64') ? 'text' : 'binary';

  test('output, input and sizes pass, each in its order', async () => {
    const a = await world(name);
    a.fromUpstream(1, '');
    a.fromUpstream(1, 'out');
    a.fromUpstream(2, 'err');
    a.fromUpstream(1, 'more');
    a.fromAgent(0, 'in');
    a.fromAgent(4, '{"Width":80,"Height":24}');
    a.fromAgent(0, '');
    await eventually(() => {
      expect(a.agent.messages.map((message) => read(a, message))).toEqual([
        [1, '', frame],
        [1, 'out', frame],
        [2, 'err', frame],
        [1, 'more', frame],
      ]);
      expect(a.upstream.messages.map((message) => read(a, message))).toEqual([
        [0, 'in', frame],
        [4, '{"Width":80,"Height":24}', frame],
        [0, '', frame],
      ]);
    });
    expect(a.session.heard).toEqual(['stdin in', 'resize {"Width":80,"Height":24}']);
  });

  test('the agent reads why the proxy ends the stream, and the close of a command that ended', async () => {
    const a = await world(name);
    const status = failure(403, 'the grant was revoked');
    a.relay.end(status);
    expect(await a.agent.closed).toBe(1000);
    const [[channel, text] = []] = a.agent.messages.map((message) => read(a, message));
    expect(channel).toBe(3);
    if (name.startsWith('v')) expect(JSON.parse(text ?? '')).toEqual(status);
    else expect(text).toBe('the grant was revoked');
    expect(await a.upstream.closed).toBe(1006);
    expect(await a.relay.done).toEqual({by: 'Proxy'});
  });
});

describe('what the agent may see', () => {
  test('is what the session makes of it, each piece a message', async () => {
    const {agent, session, fromUpstream} = await world();
    session.change = (bytes) => [bytes.subarray(0, 2).fill('*'), bytes.subarray(2)];
    fromUpstream(1, '4111');
    await eventually(() => expect(agent.texts).toEqual(['1:**', '1:11']));
  });

  test('comes when the session emits it, the exit and the close last', async () => {
    const {agent, upstream, session, fromUpstream} = await world();
    session.held.add('stdout').add('stderr');
    fromUpstream(1, 'out');
    fromUpstream(2, 'err');
    fromUpstream(3, '{"status":"Success"}');
    upstream.socket.close(1000);
    await upstream.closed;
    await eventually(() => expect([...session.outputs.keys()]).toEqual(['stdout', 'stderr', 'error']));
    expect(agent.texts).toEqual([]);
    session.release('stderr');
    await eventually(() => expect(agent.texts).toEqual(['2:err']));
    expect(agent.socket.readyState).toBe(agent.socket.OPEN);
    session.release('stdout');
    expect(await agent.closed).toBe(1000);
    expect(agent.texts).toEqual(['2:err', '1:out', '3:{"status":"Success"}']);
  });

  test('is nothing more once the stream was ended', async () => {
    const {agent, session, fromUpstream, relay} = await world();
    session.held.add('stdout');
    fromUpstream(1, 'late');
    await eventually(() => expect(session.outputs.has('stdout')).toBe(true));
    relay.end(failure(403, 'enough'));
    session.release('stdout');
    await agent.closed;
    expect(agent.texts).toEqual([expect.stringContaining('enough')]);
  });

  test('is nothing that cannot be masked', async () => {
    const {agent, upstream, session, fromUpstream, relay} = await world();
    session.change = () => {
      throw new Error('held too much');
    };
    fromUpstream(1, 'secret');
    expect(await agent.closed).toBe(1000);
    expect(agent.texts).toEqual([expect.stringContaining('can no longer be masked')]);
    expect(agent.texts[0]).not.toContain('secret');
    expect(await upstream.closed).toBe(1006);
    expect(await relay.done).toEqual({by: 'Proxy', error: expect.stringContaining('held too much')});
  });
});

describe('the end of a channel', () => {
  test('passes from the agent', async () => {
    const {agent, upstream, fromAgent} = await world();
    fromAgent(0, 'in');
    agent.socket.send(Buffer.of(255, 0));
    await eventually(() =>
      expect(upstream.messages.map(({data}) => [...data])).toEqual([
        [0, 105, 110],
        [255, 0],
      ]),
    );
  });

  test('passes from the API server once its bytes did', async () => {
    const {agent, upstream, session, fromUpstream} = await world();
    session.held.add('stdout');
    fromUpstream(1, 'x');
    upstream.socket.send(Buffer.of(255, 1));
    upstream.socket.send(Buffer.of(255, 2));
    upstream.socket.send(Buffer.of(255, 0));
    await eventually(() =>
      expect(agent.messages.map(({data}) => [...data])).toEqual([
        [255, 2],
        [255, 0],
      ]),
    );
    session.release('stdout');
    await eventually(() => expect(agent.messages.map(({data}) => [...data])).toContainEqual([255, 1]));
    expect(agent.texts[2]).toBe('1:x');
  });

  test('of the error channel, with its bytes, waits for the end of all', async () => {
    const {agent, upstream, fromUpstream} = await world();
    fromUpstream(3, '{}');
    upstream.socket.send(Buffer.of(255, 3));
    fromUpstream(1, 'x');
    upstream.socket.close(1000);
    await agent.closed;
    expect(agent.messages.map(({data}) => data[0])).toEqual([1, 3, 255]);
  });

  test('is no word in protocols before v5', async () => {
    const {agent, upstream, fromAgent} = await world('v4.channel.k8s.io');
    agent.socket.send(Buffer.of(255, 0));
    fromAgent(0, 'in');
    await eventually(() => expect(upstream.texts).toEqual(['0:in']));
  });
});

describe('the end of one side is the end of the other', () => {
  test.each([
    ['as it should', 1000, 1000, undefined],
    ['without a code', undefined, 1005, undefined],
    ['going away', 1001, 1001, undefined],
    ['with an error', 1011, 1011, 'API server: closed with code 1011'],
  ])('the API server closes %s', async (_, code, seen, error) => {
    const {agent, upstream, relay, fromUpstream} = await world();
    fromUpstream(1, 'last');
    upstream.socket.close(code, code === undefined ? undefined : '4111111111111111');
    agent.socket.once('close', (_code, reason) => expect(String(reason)).toBe(''));
    expect(await agent.closed).toBe(seen);
    expect(agent.texts).toEqual(['1:last']);
    expect(await relay.done).toEqual({by: 'Upstream', ...(error !== undefined && {error})});
  });

  test('the API server breaks off', async () => {
    const {agent, upstream, relay, fromUpstream} = await world();
    fromUpstream(1, 'last');
    await eventually(() => expect(agent.texts).toEqual(['1:last']));
    upstream.socket.terminate();
    expect(await agent.closed).toBe(1006);
    expect(await relay.done).toEqual({by: 'Upstream', error: 'API server: broke off the connection'});
  });

  test.each([
    ['as it should', 1000, 1000, undefined],
    ['without a code', undefined, 1005, undefined],
    ['with a code of its own', 4001, 4001, 'agent: closed with code 4001'],
  ])('the agent closes %s', async (_, code, seen, error) => {
    const {agent, upstream, relay, fromAgent} = await world();
    fromAgent(0, 'last');
    agent.socket.close(code);
    expect(await upstream.closed).toBe(seen);
    expect(upstream.texts).toEqual(['0:last']);
    expect(await relay.done).toEqual({by: 'Agent', ...(error !== undefined && {error})});
  });

  test('the agent breaks off', async () => {
    const {agent, upstream, relay, fromAgent} = await world();
    fromAgent(0, 'last');
    await eventually(() => expect(upstream.texts).toEqual(['0:last']));
    agent.socket.terminate();
    expect(await upstream.closed).toBe(1001);
    expect(await relay.done).toEqual({by: 'Agent', error: 'agent: broke off the connection'});
  });

  test('the agent has gone before the relay began', async () => {
    const agentSide = await loopback.connect('server');
    const upstreamSide = await loopback.connect('client');
    const upstream = new Peer(upstreamSide.server);
    const agentClosed = new Peer(agentSide.server).closed;
    agentSide.server.terminate();
    await agentClosed;
    const {done} = relayCommandOverWebSocket({
      agent: agentSide.server,
      upstream: upstreamSide.client,
      protocol: commandProtocols.get('') as ChannelProtocol,
      session: new PlayedCommand(),
      pingMilliseconds: 30_000,
      stdin: true,
    });
    expect(await upstream.closed).toBe(1001);
    expect(await done).toMatchObject({by: 'Agent'});
  });
});

test('an input that the request did not ask for is neither recorded nor passed on', async () => {
  const {fromAgent, session, upstream} = await world('v5.channel.k8s.io', 30_000, false);
  fromAgent(0, 'typed');
  fromAgent(4, '{"Width":80,"Height":24}');
  await eventually(() => expect(upstream.texts).toEqual(['4:{"Width":80,"Height":24}']));
  expect(session.heard).toEqual(['resize {"Width":80,"Height":24}']);
});

describe('what no peer may send', () => {
  test.each<[string, string, Buffer | string]>([
    ['bytes on stdout', 'v4.channel.k8s.io', Buffer.of(1, 65)],
    ['bytes on the error channel', 'v5.channel.k8s.io', Buffer.of(3, 65)],
    ['an unknown channel', 'v5.channel.k8s.io', Buffer.of(9, 65)],
    ['the close of an unknown channel', 'v5.channel.k8s.io', Buffer.of(255, 9)],
    ['what is no base64', 'base64.channel.k8s.io', '0!'],
  ])('an agent: %s', async (_, name, message) => {
    const {agent, upstream, relay} = await world(name);
    agent.socket.send(message);
    expect(await agent.closed).toBe(1000);
    expect(agent.messages).toHaveLength(1);
    expect(await upstream.closed).toBe(1006);
    expect(upstream.messages).toEqual([]);
    expect(await relay.done).toMatchObject({by: 'Proxy', error: expect.stringMatching(/^agent: /)});
  });

  test.each<[string, string, Buffer | string]>([
    ['bytes on stdin', 'v4.channel.k8s.io', Buffer.of(0, 65)],
    ['an unknown channel', 'v5.channel.k8s.io', Buffer.of(9, 65)],
    ['what is no base64', 'base64.channel.k8s.io', '1!'],
  ])('the API server: %s', async (_, name, message) => {
    const {agent, upstream, relay} = await world(name);
    upstream.socket.send(message);
    expect(await agent.closed).toBe(1000);
    expect(agent.messages).toHaveLength(1);
    expect(await relay.done).toMatchObject({by: 'Proxy', error: expect.stringMatching(/^API server: /)});
  });

  test('the API server: bytes of a channel that it closed', async () => {
    const {agent, upstream, fromUpstream} = await world();
    upstream.socket.send(Buffer.of(255, 1));
    fromUpstream(1, 'after');
    await agent.closed;
    expect(agent.texts).toEqual([expect.stringMatching(/^255:/), expect.stringContaining('after its end')]);
  });

  test('the API server: more than a Status on the error channel', async () => {
    const {agent, upstream} = await world();
    upstream.socket.send(Buffer.alloc(1024 * 1024 + 2, 3));
    await agent.closed;
    expect(agent.texts).toEqual([expect.stringContaining('too long')]);
  });

  test('an agent: a message past the bound', async () => {
    const {agent, upstream, relay} = await world();
    agent.socket.send(Buffer.alloc(4 * 1024 * 1024 + 1));
    expect(await agent.closed).toBe(1009);
    expect(await upstream.closed).toBe(1001);
    expect(upstream.messages).toEqual([]);
    expect(await relay.done).toMatchObject({by: 'Agent', error: 'agent: Max payload size exceeded'});
  });

  test('the API server: a message past the bound', async () => {
    const {agent, upstream, relay} = await world();
    upstream.socket.send(Buffer.alloc(4 * 1024 * 1024 + 2, 1));
    expect(await agent.closed).toBe(1000);
    expect(agent.texts).toEqual([expect.stringContaining('Max payload size exceeded')]);
    expect(await relay.done).toMatchObject({by: 'Upstream', error: 'API server: Max payload size exceeded'});
  });

  test('an agent that sends text in a binary protocol, as the Python client does, is understood', async () => {
    const {agent, upstream, session} = await world('v4.channel.k8s.io');
    agent.socket.send('\u0000ls\n');
    await eventually(() => expect(upstream.messages).toEqual([{data: Buffer.from('\u0000ls\n'), isBinary: true}]));
    expect(session.heard).toEqual(['stdin ls\n']);
  });

  test('a message in fragments, which the API server would take for several, arrives as one', async () => {
    const {agent, upstream} = await world();
    agent.socket.send(Buffer.from('\u0000ab'), {fin: false});
    agent.socket.send(Buffer.from('\u0000cd'), {fin: true});
    await eventually(() => expect(upstream.messages.map(({data}) => String(data))).toEqual(['\u0000ab\u0000cd']));
  });
});

describe('ended by the proxy', () => {
  test('an agent that does not close is cut off after a second', async () => {
    const {agent, relay} = await world();
    agent.socket.pause();
    const before = performance.now();
    relay.end(failure(403, 'revoked'));
    expect(await relay.done).toEqual({by: 'Proxy'});
    expect(performance.now() - before).toBeGreaterThan(900);
  });

  test('twice is once', async () => {
    const {agent, relay} = await world();
    relay.end(failure(403, 'first'));
    relay.end(failure(403, 'second'));
    await agent.closed;
    expect(agent.texts).toEqual([expect.stringContaining('first')]);
  });

  test('while the rest of an ended command is on its way, the agent is told as well', async () => {
    const {agent, upstream, session, relay, fromUpstream} = await world();
    session.held.add('stdout');
    fromUpstream(1, 'never');
    fromUpstream(3, '{"status":"Success"}');
    upstream.socket.close(1000);
    await upstream.closed;
    await eventually(() => expect(session.outputs.has('error')).toBe(true));
    await sleep(20);
    relay.end(failure(500, 'the disk is full'));
    expect(await agent.closed).toBe(1000);
    expect(agent.texts).toEqual([expect.stringContaining('the disk is full')]);
    expect(await relay.done).toEqual({by: 'Upstream'});
  });
});
