import {afterEach, beforeEach, describe, expect, test} from '@jest/globals';
import {failure} from '../../../core/status.ts';
import {eventually} from '../../../test/eventually.ts';
import {type Relayed, relayed} from '../../../test/stream/relayed.ts';
import {OpenPortForwardSession} from '../../../test/stream/sessions.ts';
import type {Tap} from '../../../test/stream/spdyends.ts';
import {relayPortForwardOverSpdy} from './portforwardrelay.ts';

const revoked = failure(403, 'the grant was revoked');

let session: OpenPortForwardSession;
let open: Relayed;
beforeEach(() => {
  session = new OpenPortForwardSession();
});
afterEach(() => open?.close());

interface Pair {
  readonly data: {agent: Tap; kubelet: Tap};
  readonly error: {agent: Tap; kubelet: Tap};
}

async function relaying() {
  open = await relayed((sides) => relayPortForwardOverSpdy({...sides, session}));
  const {agent, kubelet} = open;
  const openStream = async (type: string, port: string, requestid: string) => {
    const tap = agent.open(type, {port, requestid});
    await eventually(() => expect(tap.log).toBe('|reply|'), 2);
    tap.log = '';
    const counterpart = kubelet.opened.at(-1);
    if (counterpart === undefined) throw new Error('nothing was opened upstream');
    return {agent: tap, kubelet: counterpart};
  };
  return {
    ...open,
    /** Opens a connection as client-go does: the error stream, which it ends at once, then the data stream. */
    async connect(port: number, id = '0'): Promise<Pair> {
      const error = await openStream('error', String(port), id);
      error.agent.stream.end();
      return {error, data: await openStream('data', String(port), id)};
    },
  };
}

/** The server ends both streams of a connection, as the kubelet does when the pod's side has ended. */
function finish(pair: Pair): void {
  pair.data.kubelet.stream.end();
  pair.error.kubelet.stream.end();
}

test('a connection carries bytes both ways, each way ends by itself, and the session counts them', async () => {
  const {connect, kubelet} = await relaying();
  const pair = await connect(8080);
  expect(kubelet.opened.map(({stream}) => Object.fromEntries(stream.headers))).toEqual([
    {streamtype: 'error', port: '8080', requestid: '0'},
    {streamtype: 'data', port: '8080', requestid: '0'},
  ]);
  await eventually(() => expect(pair.error.kubelet.log).toBe('|end|'));
  pair.data.agent.stream.write(Buffer.from('request'));
  pair.data.agent.stream.end();
  await eventually(() => expect(pair.data.kubelet.log).toBe('request|end|'));
  pair.data.kubelet.stream.write(Buffer.from('an answer'));
  await eventually(() => expect(pair.data.agent.log).toBe('an answer'));
  const [seen] = session.connections;
  expect(seen).toEqual({port: 8080, sentBytes: 7, receivedBytes: 9, message: '', closed: undefined});
  finish(pair);
  await eventually(() => expect([pair.data.agent.log, pair.error.agent.log]).toEqual(['an answer|end|', '|end|']));
  expect(seen?.closed).toBe('');
});

test('connections go on beside each other, and one that breaks off leaves the others alone', async () => {
  const {connect} = await relaying();
  const [first, second, third] = [await connect(80, 'a'), await connect(80, 'b'), await connect(81, 'c')];
  first.data.agent.stream.reset(5);
  await eventually(() => expect(first.data.kubelet.log).toBe('|reset 5|'));
  finish(first);
  third.error.kubelet.stream.write(Buffer.from('connection refused'));
  third.error.kubelet.stream.reset(5);
  third.data.kubelet.stream.reset(5);
  await eventually(() => expect(third.error.agent.log).toBe('connection refused|reset 5|'));
  second.data.kubelet.stream.write(Buffer.from('still here'));
  await eventually(() => expect(second.data.agent.log).toBe('still here'));
  expect(session.connections.map(({port, closed}) => [port, closed])).toEqual([
    [80, 'the agent reset the stream'],
    [80, undefined],
    [81, ''],
  ]);
});

test('a request id may come again once its connection has ended', async () => {
  const {connect} = await relaying();
  const first = await connect(80);
  finish(first);
  first.data.agent.stream.end();
  await eventually(() => expect(session.connections[0]?.closed).toBe(''));
  await connect(81);
  expect(session.connections.map(({port}) => port)).toEqual([80, 81]);
});

describe('a stream is refused, and not opened upstream,', () => {
  test.each([
    ['of another type', 'stdin', {port: '80', requestid: '1'}],
    ['without a port', 'data', {requestid: '1'}],
    ['for port 0', 'data', {port: '0', requestid: '1'}],
    ['for a port above 65535', 'data', {port: '65536', requestid: '1'}],
    ['for what is no number', 'data', {port: '8e1', requestid: '1'}],
    ['for two ports', 'data', {port: '80\0 81', requestid: '1'}],
    ['without a request id', 'data', {port: '80'}],
    ['for another port than its error stream', 'data', {port: '81', requestid: '0'}],
    ['that its connection has already', 'error', {port: '80', requestid: '0'}],
  ])('%s', async (_name, type, headers) => {
    const {agent, kubelet} = await relaying();
    const error = agent.open('error', {port: '80', requestid: '0'});
    const tap = agent.open(type, headers as Record<string, string>);
    await eventually(() => expect(tap.log).toBe('|reset 3|'));
    await eventually(() => expect(error.log).toBe('|reply|'));
    expect(kubelet.opened).toHaveLength(1);
    expect(session.connections).toHaveLength(1);
  });
});

test('the end by the proxy is told on open error streams, and closes the connection', async () => {
  const {connect, relay, agent, kubelet} = await relaying();
  const pair = await connect(80);
  relay.end(revoked);
  await eventually(() =>
    expect([pair.error.agent.log, pair.data.agent.log]).toEqual([`${revoked.message}|end|`, '|end|']),
  );
  await eventually(() => expect([agent.ended, kubelet.ended]).toEqual(['GOAWAY', 'GOAWAY']));
  agent.connection.destroy();
  expect(await relay.done).toEqual({by: 'Proxy', error: revoked.message});
  expect(session.connections.map(({closed}) => closed)).toEqual([revoked.message]);
});

test.each([
  ['goes with GOAWAY', true, {by: 'Agent'}, 'the agent went away'],
  ['breaks off', false, {by: 'Agent', error: 'the connection was closed without GOAWAY'}, expect.any(String)],
])('an agent that %s takes upstream with it', async (_name, saysGoAway, end, closed) => {
  const {connect, relay, agent, kubelet} = await relaying();
  await connect(80);
  if (saysGoAway) agent.connection.goAway();
  agent.connection.end();
  await eventually(() => expect(kubelet.ended).toBe('GOAWAY'));
  kubelet.connection.end();
  expect(await relay.done).toEqual(end);
  expect(session.connections).toMatchObject([{closed}]);
});

test('an upstream that breaks off is told on open error streams', async () => {
  const {connect, relay, agent, kubelet} = await relaying();
  const pair = await connect(80);
  kubelet.socket.destroySoon();
  await eventually(() => expect(pair.error.agent.log).toMatch(/^the connection to the pod broke off: .*\|end\|$/));
  await eventually(() => expect(agent.ended).toBe('GOAWAY'));
  agent.connection.destroy();
  expect(await relay.done).toMatchObject({by: 'Upstream', error: expect.any(String)});
  expect(session.connections).toMatchObject([{closed: expect.stringContaining('broke off')}]);
});

test('a session that fails ends both sides', async () => {
  session.connection = () => {
    throw new Error('the disk is full');
  };
  const {agent, relay} = await relaying();
  agent.open('error', {port: '80', requestid: '0'});
  expect(await relay.done).toEqual({by: 'Proxy', error: 'the disk is full'});
});
