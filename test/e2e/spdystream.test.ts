import {createHash} from 'node:crypto';
import {once} from 'node:events';
import net from 'node:net';
import {afterAll, beforeAll, expect, jest, test} from '@jest/globals';
import type {StreamEnd, StreamRelay} from '../../proxy/stream/session.ts';
import {relayCommandOverSpdy} from '../../proxy/stream/spdy/commandrelay.ts';
import {relayPortForwardOverSpdy} from '../../proxy/stream/spdy/portforwardrelay.ts';
import {OpenCommandSession, OpenPortForwardSession} from '../stream/sessions.ts';
import {buildSpdyPeer, type SpdyPeer} from '../stream/spdypeer.ts';

// Go fetches and builds what it does not have yet.
jest.setTimeout(120_000);

let peer: SpdyPeer;
beforeAll(async () => {
  peer = await buildSpdyPeer();
});
afterAll(() => peer?.close());

const pingIntervalMilliseconds = 20;
const noHead = Buffer.alloc(0);

/** Runs a client against a server of the scenario with a relay between them, and gives what each of them saw. */
async function through(
  scenario: {serve: string; dial: string},
  relay: (sides: {agent: net.Socket; upstream: net.Socket}) => StreamRelay,
): Promise<{result: unknown; end: StreamEnd}> {
  const upstreamPort = await peer.serve(scenario.serve);
  const ended = Promise.withResolvers<StreamEnd>();
  const server = net.createServer({allowHalfOpen: true}, async (agent) => {
    agent.pause();
    const upstream = net.connect(upstreamPort, '127.0.0.1');
    await once(upstream, 'connect');
    ended.resolve(relay({agent, upstream}).done);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    const result = await peer.dial((server.address() as net.AddressInfo).port, scenario.dial);
    return {result, end: await ended.promise};
  } finally {
    server.close();
  }
}

function relayCommand(session: OpenCommandSession) {
  return (sides: {agent: net.Socket; upstream: net.Socket}) =>
    relayCommandOverSpdy({
      ...sides,
      agentHead: noHead,
      upstreamHead: noHead,
      session,
      streams: new Set(['error', 'stdin', 'stdout', 'stderr']),
      protocol: 'v4.channel.k8s.io',
      pingIntervalMilliseconds,
    });
}

test('what is typed comes back, and the end of stdin ends the command', async () => {
  const session = new OpenCommandSession();
  const {result, end} = await through({serve: 'cat', dial: 'cat'}, relayCommand(session));
  const typed = 'keys '.repeat(2000);
  expect(result).toEqual({stdout: typed, stderr: '', error: '{"metadata":{},"status":"Success"}'});
  expect(session.seen).toMatchObject({stdin: typed, stdout: typed});
  expect(end).toEqual({by: 'Upstream'});
});

test.each(['exit-closing', 'exit-waiting'])(
  'all output and the exit code arrive, whoever closes the connection (%s)',
  async (serve) => {
    const {result, end} = await through({serve, dial: 'exit'}, relayCommand(new OpenCommandSession()));
    expect(result).toMatchObject({stdout: 'out\n'.repeat(100_000), stderr: 'failed'});
    expect(JSON.parse((result as {error: string}).error)).toMatchObject({reason: 'NonZeroExitCode'});
    expect(end).toEqual({by: 'Upstream'});
  },
);

test('100 MB go each way at a time, with bounded memory', async () => {
  const session = new OpenCommandSession();
  session.keeps = false;
  let peakBytes = 0;
  const before = process.memoryUsage().rss;
  const sampling = setInterval(() => {
    peakBytes = Math.max(peakBytes, process.memoryUsage().rss - before);
  }, 20);
  const {result} = await through({serve: 'bulk', dial: 'bulk'}, relayCommand(session));
  clearInterval(sampling);
  const whole = `100000000 ${patternDigest(100_000_000)}`;
  expect(result).toMatchObject({stdout: whole, stderr: whole});
  expect(peakBytes).toBeLessThan(150_000_000);
});

test('a kubelet that vanishes is no success', async () => {
  const {result, end} = await through({serve: 'vanish', dial: 'vanish'}, relayCommand(new OpenCommandSession()));
  const {stdout, error} = result as {stdout: string; error: string};
  expect(stdout).toBe('half a resul');
  expect(JSON.parse(error)).toMatchObject({status: 'Failure', code: 502});
  expect(end).toMatchObject({by: 'Upstream', error: expect.stringContaining('GOAWAY')});
});

test('pings are answered', async () => {
  const {result} = await through({serve: 'cat', dial: 'ping'}, relayCommand(new OpenCommandSession()));
  expect(result).toEqual({answered: 10});
});

test('many connections are forwarded at a time, some given up in the middle, one refused', async () => {
  const session = new OpenPortForwardSession();
  const {result, end} = await through({serve: 'portforward', dial: 'portforward'}, (sides) =>
    relayPortForwardOverSpdy({...sides, agentHead: noHead, upstreamHead: noHead, session, pingIntervalMilliseconds}),
  );
  expect(result).toEqual({whole: 30, refused: 'connection refused', errors: null});
  // Its GOAWAY is lost where a ping meets the connection closed already.
  expect(end.by).toBe('Agent');
  const whole = session.connections.filter(({sentBytes}) => sentBytes === 1_000_000);
  expect(whole).toHaveLength(30);
  expect(whole).toEqual(whole.map((seen) => ({...seen, port: 80, receivedBytes: 1_000_000, message: '', closed: ''})));
  expect(session.connections.filter(({port}) => port === 81)).toMatchObject([{message: 'connection refused'}]);
  expect(session.connections.filter(({closed}) => closed === undefined)).toEqual([]);
});

/** SHA-256 of what the scenario `bulk` sends. */
function patternDigest(length: number): string {
  const period = Buffer.from(Array.from({length: 251}, (_, index) => index));
  const hash = createHash('sha256');
  const block = Buffer.concat(Array.from({length: 4000}, () => period));
  let left = length;
  for (; left > block.length; left -= block.length) hash.update(block);
  return hash.update(block.subarray(0, left)).digest('hex');
}
