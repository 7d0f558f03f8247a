import {createHash} from 'node:crypto';
import {mkdtemp, readFile, rm, stat} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {setTimeout as sleep} from 'node:timers/promises';
import {afterEach, beforeEach, describe, expect, test} from '@jest/globals';
import fc from 'fast-check';
import {eventually} from '../../test/eventually.ts';
import {planOf} from '../../test/maskplan.ts';
import {type Asked, auditID, hidden, pan, recordCommand} from '../../test/recording/command.ts';

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'lockkeeper-record-'));
});

afterEach(() => rm(directory, {recursive: true}));

const record = (asked?: Asked) => recordCommand(directory, asked);

test('a recording is named by the day and the audit ID, and says whose it is', async () => {
  const {name, header, finish} = await record();
  expect(name).toBe(`2026-01-02/${auditID}.cast`);
  expect(await header()).toEqual({
    version: 2,
    width: 80,
    height: 24,
    timestamp: Date.UTC(2026, 0, 2, 3, 4, 5) / 1000,
    title: 'exec payments/api-0',
    lockkeeper: {
      auditID,
      agent: 'agent:build-bot',
      namespace: 'payments',
      pod: 'api-0',
      subresource: 'exec',
      container: 'app',
      command: ['sh', '-c', 'ls'],
      tty: true,
    },
  });
  await finish();
});

describe('a card number', () => {
  test.each([
    ['is masked for agent and record where a policy masks', true, hidden, 1],
    ['is masked on record where no policy masks, and the agent sees it', false, pan, 0],
  ])('%s', async (_what, masks, seen, counted) => {
    const {open, events, finish, masked} = await record({masks});
    const [out, error] = [open('stdout'), open('error')];
    // The halves in frames of their own.
    out.say(`card ${pan.slice(0, 7)}`);
    out.say(`${pan.slice(7)} paid\n`);
    error.say(`{"message":"no such card ${pan}"}`);
    out.end();
    await finish();
    expect(out.shown.text).toBe(`card ${seen} paid\n`);
    expect(error.shown.text).toBe(`{"message":"no such card ${seen}"}`);
    const said = (await events()).filter(([, code]) => code === 'o').map(([, , text]) => text);
    expect(said.join('')).toBe(`card ${hidden} paid\n`);
    expect((await events()).at(-1)).toEqual([0, 'm', `{"message":"no such card ${hidden}"}`]);
    expect(masked.counts.PAN).toBe(2 * counted);
  });

  test.each(['exec', 'attach'])(
    'in the address of an %s is not on record, whatever it is cut into',
    async (subresource) => {
      const {header, finish} = await record({
        url: `/api/v1/namespaces/payments/pods/api-0/${subresource}?container=${pan}&command=pay&command=4111&command=1111%201111&command=1111`,
      });
      expect((await header()).lockkeeper).toMatchObject({
        container: hidden,
        command: ['pay', '****', '**** ****', '1111'],
      });
      await finish();
    },
  );
});

test('the record hides more than the agent is not shown where policy says so, in whatever pieces it comes', async () => {
  const encoded = (text: string) => Buffer.from(text).toString('base64');
  const said = `card ${pan} and ${encoded(`card ${pan}`)} paid\n`;
  const recordMasking = planOf({detector: 'PAN', decode: ['Base64']});
  for (const length of [1, 7, said.length]) {
    const {open, events, finish, masked} = await record({recordMasking, auditID: `${auditID}-${length}`});
    const out = open('stdout');
    for (let at = 0; at < said.length; at += length) out.say(said.slice(at, at + length));
    out.end();
    await finish();
    expect(out.shown.text).toBe(said.replace(pan, hidden));
    expect((await events()).map(([, , text]) => text).join('')).toBe(
      `card ${hidden} and ${encoded(`card ${hidden}`)} paid\n`,
    );
    expect(masked.counts.PAN).toBe(1);
  }
});

test('a track is not on record where the agent is shown it but for the card number', async () => {
  const track = `%B${pan}^DOE/JANE^29122010000000000?`;
  const {open, events, finish} = await record({recordMasking: planOf({detector: 'PAN'}, {detector: 'TrackData'})});
  const out = open('stdout');
  for (const part of ['read ', track.slice(0, 9), track.slice(9, 30), `${track.slice(30)}\n`]) out.say(part);
  out.end();
  await finish();
  expect(out.shown.text).toBe(`read ${track.replace(pan, hidden)}\n`);
  const recorded = (await events()).map(([, , text]) => text).join('');
  expect(recorded).toHaveLength(out.shown.text.length);
  expect(recorded).not.toMatch(/[0-9]{4}|DOE/);
});

describe('what may become a card number', () => {
  test.each([
    ['masks', true],
    ['does not mask', false],
  ])('is shown and recorded within 50 ms where the output pauses and policy %s', async (_what, masks) => {
    const {open, events, finish} = await record({masks});
    const out = open('stdout');
    out.say('$ 411');
    const before = performance.now();
    await eventually(() => expect(out.shown.text).toBe('$ 411'));
    expect(performance.now() - before).toBeLessThan(500);
    expect((await events()).map(([, , text]) => text).join('')).toBe('$ 411');
    await finish();
  });

  test('is not shown any more once the session is over', async () => {
    const {open, events, finish} = await record();
    const out = open('stdout');
    out.say('$ 4111');
    const {bytes} = await finish();
    await sleep(80);
    expect(out.shown.text).toBe('$ ');
    expect((await events()).map(([, , text]) => text).join('')).toBe('$ ');
    expect((await stat(join(directory, `2026-01-02/${auditID}.cast`))).size).toBe(bytes);
  });

  test('is hidden from the record where the agent, whom no policy restrains, sees it typed', async () => {
    const {open, events, finish} = await record({masks: false});
    const out = open('stdout');
    for (const digits of ['4111 1111', ' 1111 1111', '\r\n']) {
      out.say(digits);
      await sleep(80);
    }
    await finish();
    expect(out.shown.text).toBe('4111 1111 1111 1111\r\n');
    const said = (await events()).map(([, , text]) => text).join('');
    expect(said).toHaveLength(21);
    expect(said.replaceAll(/[^0-9]/g, '').length).toBeLessThan(11);
  });
});

describe('what is sent to a command', () => {
  test('is on record, masked, where policy asks, and passed on as it is', async () => {
    const {session, events, wait, finish} = await record({recordInput: true});
    wait(0.5);
    const typed = Buffer.from(`pay ${pan}\n`);
    session.stdin(typed);
    expect(typed.toString()).toBe(`pay ${pan}\n`);
    session.stdin(Buffer.from('then ü 41'));
    await finish();
    const input = (await events()).filter(([, code]) => code === 'i');
    expect(input.map(([, , text]) => text).join('')).toBe(`pay ${hidden}\nthen ü 41`);
    expect(input[0][0]).toBe(0.5);
  });

  test('is not on record where no policy asks', async () => {
    const {session, events, finish} = await record();
    session.stdin(Buffer.from('secret\n'));
    await finish();
    expect(await events()).toEqual([]);
  });
});

describe('the terminal', () => {
  test.each([
    ['{"Width":120,"Height":40}\n', '120x40'],
    ['{"Height":40,"Width":120,"more":1}', '120x40'],
  ])('is resized by %j', async (message, size) => {
    const {session, events, finish} = await record();
    session.resize(Buffer.from(message));
    await finish();
    expect(await events()).toEqual([[0, 'r', size]]);
  });

  test.each([
    ['no columns', '{"Width":0,"Height":40}'],
    ['too many columns', '{"Width":65536,"Height":40}'],
    ['part of a column', '{"Width":1.5,"Height":40}'],
    ['text', '{"Width":"120","Height":40}'],
    ['no height', '{"Width":120}'],
    ['null', 'null'],
    ['no JSON', '{'],
    ['nothing', ''],
    ['a long message', `{"Width":120,"Height":40,"pad":"${'x'.repeat(1024)}"}`],
  ])('is not resized by %s', async (_what, message) => {
    const {session, events, finish} = await record();
    session.resize(Buffer.from(message));
    await finish();
    expect(await events()).toEqual([]);
  });

  test('takes any message', async () => {
    const {session, events, failures, finish} = await record();
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array(),
          fc.json().map((text) => Buffer.from(text)),
        ),
        (bytes) => {
          session.resize(Buffer.from(bytes));
        },
      ),
    );
    await finish();
    expect([await events(), failures]).toEqual([[], []]);
  });
});

describe('the end of a recording', () => {
  test('tells what the audit log vouches for', async () => {
    const {open, finish, path} = await record();
    open('stdout').say('hello');
    const {sha256, bytes} = await finish();
    const content = await readFile(path);
    expect([sha256, bytes]).toEqual([createHash('sha256').update(content).digest('hex'), content.length]);
    expect(await finish()).toEqual({sha256, bytes});
  });

  test('comes with a failure once it cannot go on: nothing more is shown or taken', async () => {
    const {session, failures, finish} = await record({recordInput: true});
    let shown = '';
    const output = session.output('stdout', {
      emit: (bytes) => {
        shown += bytes;
        throw new Error('the connection is gone');
      },
      ended: () => {},
    });
    output.push(Buffer.from('a'));
    await eventually(() => expect(failures).toHaveLength(1));
    expect(() => output.push(Buffer.from('b'))).toThrow(failures[0]);
    expect(() => output.end()).toThrow(failures[0]);
    // What comes from the agent is told to stop by `congested`, not by an error.
    session.stdin(Buffer.from('c'));
    session.resize(Buffer.from('{"Width":1,"Height":1}'));
    expect(session.congested).toBe(true);
    await finish();
    expect([shown, failures.length]).toEqual(['a', 1]);
  });
});

test('any output, cut anywhere, is shown and recorded whole', async () => {
  const parts = fc.array(fc.oneof(fc.string({unit: 'grapheme'}), fc.stringMatching(/^[0-9 -]{0,20}$/)), {maxLength: 8});
  await fc.assert(
    fc.asyncProperty(parts, fc.boolean(), fc.integer({min: 1, max: 9}), async (texts, masks, size) => {
      const {open, events, finish, path} = await record({masks});
      const out = open('stdout');
      const bytes = Buffer.from(texts.join(''));
      for (let start = 0; start < bytes.length; start += size) out.say(bytes.subarray(start, start + size));
      out.end();
      await finish();
      const said = (await events()).map(([, , text]: [number, string, string]) => text).join('');
      expect(Buffer.byteLength(said)).toBe(bytes.length);
      expect(out.shown.text.length).toBe(bytes.length);
      if (masks) expect(Buffer.from(out.shown.text, 'latin1').toString()).toBe(said);
      else expect(Buffer.from(out.shown.text, 'latin1').equals(bytes)).toBe(true);
      await rm(path);
    }),
    {numRuns: 50},
  );
});
