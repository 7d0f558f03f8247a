import {afterEach, beforeEach, describe, expect, test} from '@jest/globals';
import {failure} from '../../../core/status.ts';
import {eventually} from '../../../test/eventually.ts';
import {type Relayed, relayed} from '../../../test/stream/relayed.ts';
import {OpenCommandSession} from '../../../test/stream/sessions.ts';
import type {Tap} from '../../../test/stream/spdyends.ts';
import type {OutputChannel, OutputSink} from '../session.ts';
import {type CommandStream, relayCommandOverSpdy} from './commandrelay.ts';

const all: readonly CommandStream[] = ['error', 'stdin', 'stdout', 'stderr', 'resize'];
const revoked = failure(403, 'the grant was revoked');

let session: OpenCommandSession;
let open: Relayed;
beforeEach(() => {
  session = new OpenCommandSession();
});
afterEach(() => open?.close());

async function relaying(
  options: {
    readonly streams?: readonly CommandStream[];
    readonly protocol?: string;
    readonly onOpened?: (tap: Tap) => void;
  } = {},
) {
  const {streams = all, ...rest} = options;
  const protocol = 'protocol' in options ? options.protocol : 'v4.channel.k8s.io';
  open = await relayed((sides) => relayCommandOverSpdy({...sides, session, streams: new Set(streams), protocol}), rest);
  const {agent, kubelet} = open;
  return {
    ...open,
    /** Opens streams as client-go does: each when the one before it has its reply. */
    async opened<Name extends string>(...types: readonly Name[]) {
      const pairs: Partial<Record<Name, {agent: Tap; kubelet: Tap}>> = {};
      for (const type of types) {
        const tap = agent.open(type);
        await eventually(() => expect(tap.log).toBe('|reply|'), 2);
        const counterpart = kubelet.opened.find((each) => each.type === type);
        if (counterpart === undefined) throw new Error(`${type} was not opened upstream`);
        tap.log = '';
        pairs[type] = {agent: tap, kubelet: counterpart};
      }
      return pairs as Record<Name, {agent: Tap; kubelet: Tap}>;
    },
  };
}

describe('streams', () => {
  test('each is opened upstream by its type alone, and replied to when it is taken there', async () => {
    const {agent, kubelet} = await relaying({onOpened: () => {}});
    const tap = agent.open('stdout', {other: 'x'});
    await eventually(() => expect(kubelet.opened).toHaveLength(1));
    expect(kubelet.opened[0]?.stream.headers).toEqual(new Map([['streamtype', 'stdout']]));
    expect(tap.log).toBe('');
    kubelet.opened[0]?.stream.reply();
    await eventually(() => expect(tap.log).toBe('|reply|'));
  });

  test.each([
    ['of an unknown type', 'data'],
    ['that the request did not ask for', 'stdin'],
    ['of two types', 'stdout\0stderr'],
    ['of a type that was opened before', 'error'],
  ])('pitfall 18: one %s is refused, and not opened upstream', async (_name, type) => {
    const {agent, kubelet, opened} = await relaying({streams: ['error', 'stdout', 'stderr']});
    const {error} = await opened('error');
    error.agent.stream.reset(5);
    const tap = agent.open(type);
    await eventually(() => expect(tap.log).toBe('|reset 3|'));
    await opened('stdout');
    expect(kubelet.opened.map((each) => each.type)).toEqual(['error', 'stdout']);
  });

  test('one that is refused upstream is refused', async () => {
    const {agent} = await relaying({onOpened: ({stream}) => stream.reset(3)});
    const tap = agent.open('stdout');
    await eventually(() => expect(tap.log).toBe('|reset 3|'));
  });

  test('one that upstream opens is refused', async () => {
    const {kubelet} = await relaying();
    const tap = kubelet.open('stdout');
    await eventually(() => expect(tap.log).toBe('|reset 3|'));
  });
});

describe('bytes', () => {
  test('stdin ends while output goes on, and output ends by itself', async () => {
    const {opened} = await relaying();
    const {stdin, stdout, stderr} = await opened('stdin', 'stdout', 'stderr');
    stdin.agent.stream.write(Buffer.from('typed'));
    stdin.agent.stream.end();
    await eventually(() => expect(stdin.kubelet.log).toBe('typed|end|'));
    stdout.kubelet.stream.write(Buffer.from('out'));
    stdout.kubelet.stream.end();
    stderr.kubelet.stream.write(Buffer.from('err'));
    await eventually(() => expect([stdout.agent.log, stderr.agent.log]).toEqual(['out|end|', 'err']));
    expect(session.seen).toMatchObject({stdin: 'typed', stdout: 'out', stderr: 'err'});
    stdin.kubelet.stream.end();
    await eventually(() => expect(stdin.agent.log).toBe('|end|'));
  });

  test('sizes of the terminal go on, and the session is told each', async () => {
    const {opened} = await relaying();
    const {resize} = await opened('resize');
    resize.agent.stream.write(Buffer.from('{"Width":80,"Height":24}\n{"Width":1'));
    resize.agent.stream.write(Buffer.from('20,"Height":40}\n'));
    await eventually(() => expect(resize.kubelet.log).toBe('{"Width":80,"Height":24}\n{"Width":120,"Height":40}\n'));
    expect(session.seen.resize).toEqual(['{"Width":80,"Height":24}', '{"Width":120,"Height":40}']);
  });

  test('bytes against the way of their stream are dropped', async () => {
    const {opened} = await relaying();
    const {stdin, stdout, error} = await opened('stdin', 'stdout', 'error');
    stdin.kubelet.stream.write(Buffer.from('not seen by masking'));
    stdout.agent.stream.write(Buffer.from('not recorded'));
    error.agent.stream.write(Buffer.from('not recorded'));
    for (const {agent} of [stdin, stdout, error]) agent.stream.end();
    for (const {kubelet} of [stdin, stdout, error]) await eventually(() => expect(kubelet.log).toBe('|end|'));
    stdin.kubelet.stream.end();
    await eventually(() => expect(stdin.agent.log).toBe('|end|'));
  });

  test('the reset of an output comes behind what the session still holds, and so does the end of the connection', async () => {
    const sinks = new Map<OutputChannel, OutputSink>();
    const held: Buffer[] = [];
    session.output = (channel, sink) => {
      sinks.set(channel, sink);
      return {push: (bytes) => held.push(bytes), end() {}};
    };
    const {opened, kubelet, agent, relay} = await relaying();
    const {stdout, error} = await opened('stdout', 'error');
    stdout.kubelet.stream.write(Buffer.from('out'));
    stdout.kubelet.stream.reset(5);
    error.kubelet.stream.end();
    kubelet.connection.goAway();
    kubelet.connection.end();
    await eventually(() => expect(open.sides.upstream.destroyed).toBe(true));
    expect([stdout.agent.log, agent.ended]).toEqual(['', undefined]);
    for (const bytes of held) sinks.get('stdout')?.emit(bytes);
    sinks.get('stdout')?.ended();
    await eventually(() => expect(stdout.agent.log).toBe('out|reset 5|'));
    expect(agent.ended).toBeUndefined();
    sinks.get('error')?.ended();
    await eventually(() => expect([error.agent.log, agent.ended]).toEqual(['|end|', 'GOAWAY']));
    agent.connection.destroy();
    expect(await relay.done).toEqual({by: 'Upstream'});
  });

  test.each(['agent', 'kubelet'] as const)(
    'a side (%s) that reads nothing holds back the other, and gets all',
    async (slow) => {
      const {opened, sides, ...ends} = await relaying();
      const {stdin, stdout} = await opened('stdin', 'stdout');
      const [from, to] = slow === 'agent' ? [stdout.kubelet, stdout.agent] : [stdin.agent, stdin.kubelet];
      const [writer, reader] = slow === 'agent' ? [ends.kubelet, ends.agent] : [ends.agent, ends.kubelet];
      const side = slow === 'agent' ? sides.agent : sides.upstream;
      reader.connection.read(false);
      let written = 0;
      let peakBytes = 0;
      for (let calm = 0; calm < 20; ) {
        if (writer.connection.congested) {
          calm++;
          await new Promise((resolve) => setTimeout(resolve, 5));
        } else {
          calm = 0;
          from.stream.write(Buffer.alloc(64 * 1024, 'x'));
          written += 64 * 1024;
          await new Promise(setImmediate);
        }
        peakBytes = Math.max(peakBytes, side.writableLength);
      }
      expect(peakBytes).toBeLessThan(512 * 1024);
      reader.connection.read(true);
      await eventually(() => expect(to.log).toHaveLength(written));
    },
  );

  test('a congested session holds back both sides until it drains', async () => {
    const {opened} = await relaying();
    const {stdin, stdout} = await opened('stdin', 'stdout');
    session.congested = true;
    stdout.kubelet.stream.write(Buffer.from('1'));
    await eventually(() => expect(stdout.agent.log).toBe('1'));
    stdout.kubelet.stream.write(Buffer.from('2'));
    stdin.agent.stream.write(Buffer.from('typed'));
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect([stdout.agent.log, stdin.kubelet.log]).toEqual(['1', '']);
    session.congested = false;
    session.onDrain();
    await eventually(() => expect([stdout.agent.log, stdin.kubelet.log]).toEqual(['12', 'typed']));
  });
});

describe('the end by the proxy', () => {
  test.each([
    ['v5.channel.k8s.io', JSON.stringify(revoked)],
    ['v4.channel.k8s.io', JSON.stringify(revoked)],
    ['v3.channel.k8s.io', revoked.message],
    ['channel.k8s.io', revoked.message],
    [undefined, revoked.message],
  ])('is told on the error stream, as version %s has it, and upstream is closed at once', async (protocol, text) => {
    const {opened, relay, agent, kubelet} = await relaying({protocol: protocol as string});
    const {error, stdout} = await opened('error', 'stdout');
    stdout.kubelet.stream.write(Buffer.from('tick'));
    await eventually(() => expect(stdout.agent.log).toBe('tick'));
    relay.end(revoked);
    await eventually(() => expect([error.agent.log, stdout.agent.log]).toEqual([`${text}|end|`, 'tick|end|']));
    await eventually(() => expect(kubelet.ended).toBe('GOAWAY'));
    agent.connection.destroy();
    expect(await relay.done).toEqual({by: 'Proxy', error: revoked.message});
  });

  test('reaches a client that is still opening its streams', async () => {
    const {agent, relay} = await relaying({onOpened: () => {}});
    const [stdout] = [agent.open('stdout')];
    await eventually(() => expect(open.kubelet.opened).toHaveLength(1));
    relay.end(revoked);
    const error = agent.open('error');
    await eventually(() => expect(stdout?.log).toBe('|reply||end|'));
    await eventually(() => expect(error.log).toBe(`|reply|${JSON.stringify(revoked)}|end|`));
  });

  test('leaves a status alone that is on its way', async () => {
    const {opened, relay} = await relaying();
    const {error} = await opened('error');
    error.kubelet.stream.write(Buffer.from('{"status":"Success"}'));
    await eventually(() => expect(error.agent.log).toBe('{"status":"Success"}'));
    relay.end(revoked);
    await eventually(() => expect(error.agent.log).toBe('{"status":"Success"}|end|'));
  });

  test('waits for no output that the session holds, and lets none of it through', async () => {
    const sinks: OutputSink[] = [];
    session.output = (_channel, sink) => {
      sinks.push(sink);
      return {push() {}, end() {}};
    };
    const {opened, relay} = await relaying();
    const {stdout} = await opened('stdout');
    relay.end(revoked);
    relay.end(failure(500, 'another'));
    for (const sink of sinks) {
      sink.emit(Buffer.from('late'));
      sink.ended();
    }
    await eventually(() => expect(stdout.agent.log).toBe('|end|'));
  });

  test('passes on nothing that is typed after it', async () => {
    const {opened, relay} = await relaying();
    const {stdin} = await opened('stdin');
    relay.end(revoked);
    stdin.agent.stream.write(Buffer.from('rm'));
    await eventually(() => expect(stdin.agent.log).toBe('|end|'));
    expect(session.seen.stdin).toBe('');
  });

  test('destroys within a second the connection of an agent that does not go', async () => {
    const {relay, agent} = await relaying();
    relay.end(revoked);
    await relay.done;
    await eventually(() => expect(agent.ended).toBeDefined());
  });
});

describe('the end by one side', () => {
  test('the exit of the command, after which the client closes, is an end by upstream', async () => {
    const {opened, relay, agent, kubelet} = await relaying();
    const {error, stdin} = await opened('error', 'stdin');
    error.kubelet.stream.write(Buffer.from('{"status":"Success"}'));
    error.kubelet.stream.end();
    stdin.kubelet.stream.reset(5);
    await eventually(() => expect(error.agent.log).toBe('{"status":"Success"}|end|'));
    await eventually(() => expect(stdin.agent.log).toBe('|reset 5|'));
    agent.connection.goAway();
    agent.connection.end();
    await eventually(() => expect(kubelet.ended).toBe('GOAWAY'));
    kubelet.connection.end();
    expect(await relay.done).toEqual({by: 'Upstream'});
  });

  test('an agent that goes takes upstream with it, behind what it sent', async () => {
    const {opened, relay, agent, kubelet} = await relaying();
    const {stdin} = await opened('stdin');
    stdin.agent.stream.write(Buffer.from('last words'));
    agent.connection.destroy();
    await eventually(() => expect([stdin.kubelet.log, kubelet.ended]).toEqual(['last words', 'GOAWAY']));
    kubelet.connection.destroy();
    expect(await relay.done).toEqual({by: 'Agent', error: expect.stringContaining('without GOAWAY')});
    expect(session.ended).toEqual([]);
  });

  test.each([
    [
      'by itself',
      '',
      JSON.stringify(failure(502, 'the connection to the pod broke off: the connection was closed without GOAWAY')),
    ],
    ['with a status', '{"status":"Success"}', '{"status":"Success"}'],
  ])('an upstream that is gone, %s, leaves no client without a reason', async (_name, said, log) => {
    const {opened, relay, agent, kubelet} = await relaying();
    const {error, stdout} = await opened('error', 'stdout');
    if (said !== '') error.kubelet.stream.write(Buffer.from(said));
    stdout.kubelet.stream.write(Buffer.from('half'));
    await eventually(() => expect(stdout.agent.log).toBe('half'));
    kubelet.socket.destroySoon();
    await eventually(() => expect([error.agent.log, stdout.agent.log]).toEqual([`${log}|end|`, 'half|end|']));
    await eventually(() => expect(agent.ended).toBe('GOAWAY'));
    agent.connection.destroy();
    expect(await relay.done).toMatchObject({by: 'Upstream', error: expect.stringContaining('without GOAWAY')});
  });

  test('an upstream that says GOAWAY, and no status, leaves no client without a reason', async () => {
    const {opened, kubelet} = await relaying();
    const {error} = await opened('error');
    kubelet.connection.goAway();
    kubelet.connection.end();
    await eventually(() =>
      expect(error.agent.log).toMatch(/"the connection to the pod broke off: it was closed".*\|end\|$/),
    );
  });

  test.each(['agent', 'kubelet'] as const)('a side (%s) that says what cannot be read ends both', async (name) => {
    const {opened, relay, ...ends} = await relaying();
    await opened('error');
    ends[name].socket.write(Buffer.from([0x80, 2, 0, 6, 0, 0, 0, 4, 0, 0, 0, 1]));
    await eventually(() => expect(ends[name].ended).toBeDefined());
    for (const end of [ends.agent, ends.kubelet]) end.connection.destroy();
    expect(await relay.done).toMatchObject({by: name === 'agent' ? 'Agent' : 'Upstream', error: expect.any(String)});
  });

  test.each(['push', 'end'] as const)(
    'output that cannot be masked (%s) ends both, with not one byte more',
    async (at) => {
      session.output = (_channel, sink) => ({
        push: (bytes) => {
          if (at === 'push') throw new Error('cannot be masked');
          sink.emit(bytes);
        },
        end: () => {
          throw new Error('cannot be masked');
        },
      });
      const {opened, relay, agent, kubelet} = await relaying();
      const {stdout} = await opened('stdout');
      stdout.kubelet.stream.write(Buffer.from('4111'));
      stdout.kubelet.stream.end();
      expect(await relay.done).toEqual({by: 'Proxy', error: 'cannot be masked'});
      await eventually(() => expect([agent.ended, kubelet.ended]).not.toContain(undefined));
      expect(stdout.agent.log).toBe(at === 'push' ? '' : '4111');
    },
  );
});
