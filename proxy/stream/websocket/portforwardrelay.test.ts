import {setTimeout as sleep} from 'node:timers/promises';
import {afterAll, afterEach, beforeAll, describe, expect, test} from '@jest/globals';
import {failure} from '../../../core/status.ts';
import {eventually} from '../../../test/eventually.ts';
import {Loopback, Peer, PlayedPortForward} from '../../../test/proxy/websockets.ts';
import {writeMessage} from './message.ts';
import {relayPortForwardOverWebSocket} from './portforwardrelay.ts';
import {type ChannelProtocol, portForwardProtocols} from './protocols.ts';

let loopback: Loopback;
beforeAll(async () => {
  loopback = await Loopback.start();
});
afterAll(() => loopback.close());

const ending: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ending.splice(0)) await end();
});

async function world(
  name = 'v4.channel.k8s.io',
  ports: readonly number[] = [80, 443],
  session = new PlayedPortForward(),
) {
  const protocol = portForwardProtocols.get(name) as ChannelProtocol;
  const agentSide = await loopback.connect('server');
  const upstreamSide = await loopback.connect('client');
  const agent = new Peer(agentSide.client);
  const upstream = new Peer(upstreamSide.server);
  const relay = relayPortForwardOverWebSocket({
    agent: agentSide.server,
    upstream: upstreamSide.client,
    protocol,
    session,
    ports,
    pingMilliseconds: 30_000,
  });
  ending.push(() => {
    agent.socket.terminate();
    upstream.socket.terminate();
    return relay.done;
  });
  const fromUpstream = (channel: number, text: string | Buffer) =>
    upstream.socket.send(writeMessage(protocol, channel, Buffer.from(text as string)));
  return {
    agent,
    upstream,
    session,
    relay,
    fromUpstream,
    fromAgent: (channel: number, text: string) => agent.socket.send(writeMessage(protocol, channel, Buffer.from(text))),
    /** The API server names the port of each channel. */
    announce() {
      for (const [i, port] of ports.entries()) {
        const bytes = Buffer.alloc(2);
        bytes.writeUInt16LE(port);
        fromUpstream(2 * i, bytes);
        fromUpstream(2 * i + 1, bytes);
      }
    },
  };
}

test.each([...portForwardProtocols.keys()])('in the protocol "%s" each port is a connection', async (name) => {
  const {agent, upstream, session, fromAgent, fromUpstream, announce, relay} = await world(name);
  // A client need not wait for the ports to be named.
  fromAgent(0, 'early');
  announce();
  fromUpstream(0, 'one');
  fromUpstream(2, 'two');
  fromUpstream(3, 'refused');
  fromAgent(2, 'up');
  const digit = name.includes('base64') ? '0'.charCodeAt(0) : 0;
  await eventually(() => expect(agent.messages).toHaveLength(7));
  await eventually(() => expect(upstream.messages).toHaveLength(2));
  expect(agent.messages.map(({data}) => (data[0] ?? 0) - digit)).toEqual([0, 1, 2, 3, 0, 2, 3]);
  expect(upstream.messages.map(({data}) => (data[0] ?? 0) - digit)).toEqual([0, 2]);
  expect([...session.outputs.keys()]).toEqual(['0 data', '0 error', '1 data', '1 error']);
  upstream.socket.close(1000);
  expect(await agent.closed).toBe(1000);
  expect(await relay.done).toEqual({by: 'Upstream'});
  expect(session.heard).toEqual(['0 80 sent 5', '1 443 sent 2', '0 80 closed', '1 443 closed']);
});

test('the connection closes once all was emitted', async () => {
  const session = new PlayedPortForward();
  session.held.add('0 data');
  const {agent, upstream, fromUpstream, announce} = await world('', [80], session);
  announce();
  fromUpstream(0, 'a');
  upstream.socket.close(1000);
  await upstream.closed;
  await sleep(50);
  expect(agent.texts).toHaveLength(2);
  session.release('0 data');
  expect(await agent.closed).toBe(1000);
  expect(agent.texts.at(-1)).toBe('0:a');
});

test('each connection hears how the stream broke off', async () => {
  const {agent, session, relay} = await world();
  agent.socket.terminate();
  await relay.done;
  expect(session.heard).toEqual([
    '0 80 closed: agent: broke off the connection',
    '1 443 closed: agent: broke off the connection',
  ]);
});

test('why the proxy ends the stream is said for each port', async () => {
  const {agent, session, relay} = await world();
  relay.end(failure(403, 'revoked'));
  expect(await agent.closed).toBe(1000);
  expect(agent.texts).toEqual(['1:revoked', '3:revoked']);
  await relay.done;
  expect(session.heard).toEqual(['0 80 closed: revoked', '1 443 closed: revoked']);
});

test('a connection that cannot be recorded ends the stream, and those before it', async () => {
  class Full extends PlayedPortForward {
    override connection(port: number) {
      if (port === 443) throw new Error('no space');
      return super.connection(port);
    }
  }
  const session = new Full();
  const {agent, upstream, relay} = await world('', [80, 443], session);
  expect(await agent.closed).toBe(1000);
  expect(agent.texts).toEqual([1, 3].map((channel) => expect.stringMatching(`^${channel}:.*recorded`)));
  expect(await upstream.closed).toBe(1006);
  expect(await relay.done).toEqual({by: 'Proxy', error: 'no space'});
  expect(session.heard).toEqual(['0 80 closed: no space']);
});

describe('what no peer may send', () => {
  test.each([
    ['an agent: to an error channel', 'agent', 1, 'x'],
    ['an agent: to a channel of no port', 'agent', 4, 'x'],
    ['the API server: on a channel of no port', 'upstream', 4, 'x'],
    ['the API server: another port', 'upstream', 0, 'Q\u0000'],
    ['the API server: bytes before the port', 'upstream', 0, 'bytes'],
  ] as const)('%s', async (_, from, channel, text) => {
    const {agent, relay, fromAgent, fromUpstream} = await world();
    if (from === 'agent') fromAgent(channel, text);
    else fromUpstream(channel, text);
    expect(await agent.closed).toBe(1000);
    expect(agent.texts).toHaveLength(2);
    expect(await relay.done).toMatchObject({by: 'Proxy', error: expect.any(String)});
  });
});
