import {type ChildProcess, spawn, spawnSync} from 'node:child_process';
import {once} from 'node:events';
import {mkdtemp, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterEach, beforeEach, describe, expect, test} from '@jest/globals';
import fc from 'fast-check';
import {replayCommand} from './command.ts';
import {ReplayError} from './errors.ts';
import {screenReset} from './play.ts';
import type {Terminal} from './terminal.ts';

const header = '{"version":2,"width":80,"height":24,"timestamp":1767323045}';
const cast = (...events: (readonly [number, string, string])[]) =>
  [header, ...events.map((event) => JSON.stringify(event)), ''].join('\n');
const connections = (...events: object[]) =>
  [
    '{"version":1,"kind":"PortForward","timestamp":1767312000}',
    ...events.map((event) => JSON.stringify(event)),
    '',
  ].join('\n');

const session = cast(
  [0.5, 'o', '$ '],
  [1, 'i', 'ls'],
  [1.25, 'o', 'ls\r\n'],
  [1.25, 'r', '100x30'],
  [11.25, 'o', 'a\r\n'],
);

/** Runs the command on a file of this content, with a clock that only sleeping moves. */
async function replay(content: string | Error | undefined, args: readonly string[] = [], isScreen = false) {
  const result = {shown: [] as [number, string][], error: '', code: 0, released: 0};
  const stop = new AbortController();
  let now = 100;
  const terminal: Terminal = {
    async *read() {
      if (content instanceof Error) throw content;
      const bytes = Buffer.from(content ?? '');
      // Cut anywhere.
      const size = bytes.length > 100_000 ? 65_536 : 7;
      for (let start = 0; start < bytes.length; start += size) yield bytes.subarray(start, start + size);
    },
    async out(text) {
      result.shown.push([Math.round(now - 100), text]);
      if (text.includes('STOP')) stop.abort();
    },
    error: (text) => {
      result.error += text;
    },
    exitCode: (code) => {
      result.code = code;
    },
    isScreen,
    watch: () => ({
      signal: stop.signal,
      release: async () => {
        result.released++;
      },
    }),
    now: () => now,
    sleep: async (milliseconds) => {
      now += milliseconds;
    },
  };
  const command = replayCommand(terminal)
    .exitOverride()
    .configureOutput({writeOut: (text) => (result.error += text), writeErr: (text) => (result.error += text)});
  await command.parseAsync(['session.cast', ...args], {from: 'user'});
  return result;
}

describe('a recording of a command', () => {
  test.each<[string, string[], [number, string][]]>([
    [
      'as fast as it was',
      [],
      [
        [500, '$ '],
        [1250, 'ls\r\n'],
        [11250, 'a\r\n'],
      ],
    ],
    [
      'twice as fast',
      ['--speed', '2'],
      [
        [250, '$ '],
        [625, 'ls\r\n'],
        [5625, 'a\r\n'],
      ],
    ],
    [
      'without long pauses',
      ['--idle-limit', '0.6'],
      [
        [500, '$ '],
        [1100, 'ls\r\n'],
        [1700, 'a\r\n'],
      ],
    ],
    [
      'without pauses, ten times as fast',
      ['--idle-limit=0', '--speed=10'],
      [
        [0, '$ '],
        [0, 'ls\r\n'],
        [0, 'a\r\n'],
      ],
    ],
    ['as what was sent to it', ['--input'], [[1000, 'ls']]],
  ])('plays %s', async (_what, args, expected) => {
    expect(await replay(session, args)).toEqual({shown: expected, error: '', code: 0, released: 1});
  });

  test('gives the screen back, and only a screen', async () => {
    expect((await replay(session, ['--speed=100'], true)).shown.at(-1)?.[1]).toBe(screenReset);
    expect((await replay(session)).shown.map(([, text]) => text)).not.toContain(screenReset);
  });

  test('ends when it is told to, and gives the screen back', async () => {
    const {shown, code, released, error} = await replay(cast([0, 'o', 'STOP'], [1, 'o', 'more']), [], true);
    expect(shown.map(([, text]) => text)).toEqual(['STOP', screenReset]);
    expect({code, released, error}).toEqual({code: 130, released: 1, error: ''});
  });

  test('that was cut short plays up to there, and says so', async () => {
    const {shown, error, code} = await replay(session.slice(0, -3));
    expect(shown.map(([, text]) => text)).toEqual(['$ ', 'ls\r\n']);
    expect(error).toBe(
      'lockkeeper: session.cast ends inside a line: the proxy was killed there, or is still recording\n',
    );
    expect(code).toBe(0);
  });

  test('whose clock went back plays on at once', async () => {
    const {shown} = await replay(cast([5, 'o', 'a'], [3, 'o', 'b'], [6, 'o', 'c']));
    expect(shown).toEqual([
      [5000, 'a'],
      [5000, 'b'],
      [6000, 'c'],
    ]);
  });

  test('plays what other recorders write: blank lines, codes of their own', async () => {
    const {shown} = await replay(`${header}\n\n[1,"x","y"]\n[2, "o", "ü\\u001b[0m"]\n`);
    expect(shown).toEqual([[2000, 'ü\u001b[0m']]);
  });
});

describe('a connection log', () => {
  test('is printed as a table', async () => {
    const {shown, error} = await replay(
      connections(
        {time: 0.5, event: 'Opened', connection: 1, port: 5432},
        {time: 1, event: 'Opened', connection: 2, port: 8080},
        {time: 1.25, event: 'Opened', connection: 3, port: 8080},
        {
          time: 2,
          event: 'Closed',
          connection: 2,
          port: 8080,
          sentBytes: 3,
          receivedBytes: 0,
          error: 'no\u001b[31m\nway',
        },
        {time: 61.5, event: 'Closed', connection: 1, port: 5432, sentBytes: 1048576, receivedBytes: 99},
      ),
    );
    expect(`\n${shown.map(([, row]) => row).join('')}`).toBe(`
CONNECTION  PORT   OPENED                    SECONDS       SENT          RECEIVED      ERROR
2           8080   2026-01-02T00:00:01.000Z  1.000000      3             0             no [31m way
1           5432   2026-01-02T00:00:00.500Z  61.000000     1048576       99
3           8080   2026-01-02T00:00:01.250Z  open
`);
    expect(error).toBe('');
  });

  test('that was cut short is printed up to there', async () => {
    const log = connections({time: 0.5, event: 'Opened', connection: 1, port: 5432}, {time: 1});
    const {shown, error} = await replay(log.slice(0, -4));
    expect(shown.at(-1)?.[1]).toBe('1           5432   2026-01-02T00:00:00.500Z  open\n');
    expect(error).toContain('ends inside a line');
  });
});

describe('what cannot be replayed is one clear sentence', () => {
  const noRecording =
    'session.cast is no recording: it does not begin with the header of an asciicast (version 2) or of a connection log';
  test.each<[string, string | Error, string]>([
    ['an empty file', '', 'session.cast is empty'],
    [
      'a file that is not there',
      new Error('ENOENT: no such file'),
      'session.cast cannot be read: ENOENT: no such file',
    ],
    ['half a header', '{"version":2', 'session.cast ends inside its first line'],
    ['text', 'hello\n', noRecording],
    ['an audit log', '{"kind":"Event","apiVersion":"audit.k8s.io/v1"}\n', noRecording],
    ['a list', '[1,"o","a"]\n', noRecording],
    [
      'another version of asciicast',
      '{"version":3}\n',
      'session.cast is an asciicast of version 3, and only version 2',
    ],
    ['another version of our log', '{"version":2,"kind":"PortForward","timestamp":1}\n', noRecording],
    [
      'a line that is no event',
      `${header}\n[1,"o","a"]\n{}\n`,
      'line 3 of session.cast is no event: it must be a list',
    ],
    ['an event without text', `${header}\n[1,"o"]\n`, 'line 2 of session.cast is no event'],
    ['an event at no time', `${header}\n[-1,"o","a"]\n`, 'line 2 of session.cast is no event'],
    [
      'a line of a log that is no event',
      connections({time: 1}),
      'line 2 of session.cast is no event of a connection log',
    ],
    [
      'a connection without counts',
      connections({time: 1, event: 'Closed', connection: 1, port: 80}),
      'line 2 of session.cast is no event of a connection log',
    ],
    [
      'a huge line',
      `${header}\n[1,"o","${'x'.repeat(9 << 20)}"]\n`,
      'line 2 of session.cast is longer than 8388608 bytes',
    ],
  ])('%s', async (_what, content, message) => {
    const error = await replay(content).catch((thrown) => thrown);
    expect(error).toBeInstanceOf(ReplayError);
    expect(error.message.slice(0, message.length)).toBe(message);
    expect(error.message).not.toContain('\n');
  });

  test('whatever it is', async () => {
    const line = fc.oneof(
      fc.json(),
      fc.string(),
      fc.constant(header),
      fc
        .tuple(fc.oneof(fc.integer(), fc.string()), fc.constantFrom('o', 'i', 'x'), fc.string())
        .map((event) => JSON.stringify(event)),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(line), async (lines) => {
        const error = await replay(lines.join('\n')).then(
          () => undefined,
          (thrown) => thrown,
        );
        if (error !== undefined) expect(error).toBeInstanceOf(ReplayError);
      }),
    );
  });

  test.each([
    ['--speed', '0'],
    ['--speed', '-1'],
    ['--speed', 'fast'],
    ['--speed', ''],
    ['--speed', 'Infinity'],
    ['--idle-limit', '-1'],
    ['--idle-limit', ''],
    ['--idle-limit', '2s'],
  ])('%s %j', async (flag, value) => {
    await expect(replay(session, [flag, value])).rejects.toThrow(/Want (a number above 0|seconds)/);
  });
});

describe('in a process', () => {
  const main = new URL('../main.ts', import.meta.url).pathname;
  let folder: string;
  let file: string;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'lockkeeper-replay-'));
    file = join(folder, 'session.cast');
  });

  afterEach(() => rm(folder, {recursive: true}));

  async function ended(child: ChildProcess): Promise<{code: number | null; out: string; error: string}> {
    const texts = {out: '', error: ''};
    child.stdout?.on('data', (data) => {
      texts.out += data;
    });
    child.stderr?.on('data', (data) => {
      texts.error += data;
    });
    const [code] = await once(child, 'close');
    return {code, ...texts};
  }

  test('what a command said comes out byte for byte', async () => {
    const said = 'ü ✓ \u001b[31mred\u001b[0m\r\n'.repeat(20_000);
    await writeFile(file, cast([0.1, 'o', said], [0.2, 'o', 'end']));
    const {code, out, error} = await ended(spawn(process.execPath, [main, 'replay', file]));
    expect({code, error, whole: out === `${said}end`}).toEqual({code: 0, error: '', whole: true});
  });

  test('SIGINT ends it', async () => {
    await writeFile(file, cast([0, 'o', 'begin'], [600, 'o', 'end']));
    const child = spawn(process.execPath, [main, 'replay', file]);
    child.stdout.once('data', () => child.kill('SIGINT'));
    expect(await ended(child)).toEqual({code: 130, out: 'begin', error: ''});
  });

  test('a reader that goes away ends it', async () => {
    const events = Array.from({length: 3000}, () => [0, 'o', 'x'.repeat(1000)] as const);
    await writeFile(file, cast(...events, [600, 'o', 'end']));
    const child = spawn(process.execPath, [main, 'replay', file]);
    child.stdout.once('data', () => child.stdout.destroy());
    expect(await ended(child)).toMatchObject({code: 130, error: ''});
  });

  test('a file that is no recording is one sentence and exit code 1', async () => {
    await writeFile(file, 'hello\n');
    const {code, out, error} = await ended(spawn(process.execPath, [main, 'replay', file]));
    expect({code, out}).toEqual({code: 1, out: ''});
    expect(error).toMatch(/^lockkeeper: .*session\.cast is no recording: .*\n$/);
  });

  const hasScript = spawnSync('script', ['--version']).status === 0;

  /** On a terminal of its own, which util-linux's script makes. */
  (hasScript ? test : test.skip)('Ctrl-C on a real terminal gives the screen back', async () => {
    await writeFile(file, cast([0, 'o', '\u001b[?1049h\u001b[?25l\u001b[6nbegin'], [600, 'o', 'end']));
    const child = spawn('script', ['-qec', `'${process.execPath}' '${main}' replay '${file}'; stty -a`, '/dev/null']);
    let keyed = false;
    child.stdout.on('data', (data) => {
      if (keyed || !String(data).includes('begin')) return;
      keyed = true;
      child.stdin.write('what is typed is not echoed\u001b[1;1R\u0003');
    });
    const {out} = await ended(child);
    // The terminal's own driver adds a carriage return to the last newline.
    const reset = out.indexOf(screenReset.trimEnd());
    expect(reset).toBeGreaterThan(0);
    expect(out).not.toContain('typed');
    expect(out.slice(reset)).toMatch(/[^-]icanon.*[^-]echo /s);
  });
});
