import {readFileSync} from 'node:fs';
import {mkdtemp, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {setTimeout as sleep} from 'node:timers/promises';
import {afterEach, beforeEach, describe, expect, test} from '@jest/globals';
import {eventually} from '../../test/eventually.ts';
import {type Asked, hidden, pan, recordCommand} from '../../test/recording/command.ts';

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'lockkeeper-record-'));
});

afterEach(() => rm(directory, {recursive: true}));

const record = (asked?: Asked) => recordCommand(directory, asked);

describe('what a command says', () => {
  test('is on record as it was seen, with the time of each event', async () => {
    const {open, wait, events, finish} = await record();
    const [out, err, error] = [open('stdout'), open('stderr'), open('error')];
    wait(0.25);
    out.say('hello\r\n');
    wait(1);
    err.say('oh "no"\u001b[31m\n');
    wait(-2);
    out.say('back in time');
    wait(3);
    error.say('{"status":"Success"}');
    await finish();
    expect(await events()).toEqual([
      [0.25, 'o', 'hello\r\n'],
      [1.25, 'o', 'oh "no"\u001b[31m\n'],
      [1.25, 'o', 'back in time'],
      [2.25, 'm', '{"status":"Success"}'],
    ]);
    expect([out.shown.text, err.shown.text]).toEqual(['hello\r\nback in time', 'oh "no"\u001b[31m\n']);
  });

  test('in pieces that come together is one event and one message, with the time of the first', async () => {
    const {open, wait, events, finish} = await record();
    const [out, err] = [open('stdout'), open('stderr')];
    wait(0.25);
    out.say('all ');
    wait(0.25);
    out.say('of it\n');
    wait(0.25);
    err.say('oh\n');
    out.say('mo');
    out.say('re');
    await finish();
    expect(await events()).toEqual([
      [0.25, 'o', 'all of it\n'],
      [0.75, 'o', 'oh\n'],
      [0.75, 'o', 'more'],
    ]);
    expect([out.shown.pieces, err.shown.pieces]).toEqual([['all of it\n', 'more'], ['oh\n']]);
  });

  test('is joined to no more than an API server has in one message', async () => {
    const {open, events, finish} = await record();
    const out = open('stdout');
    for (const letter of 'abcde') out.say(letter.repeat(12 * 1024));
    out.end();
    await finish();
    expect((await events()).map(([, , text]: [number, string, string]) => text.length / 1024)).toEqual([24, 24, 12]);
    expect(out.shown.pieces.map((piece) => piece.length / 1024)).toEqual([24, 24, 12]);
  });

  test('is joined also where agent and record are shown it differently', async () => {
    const {open, events, finish} = await record({masks: false});
    const out = open('stdout');
    for (const part of ['card ', pan.slice(0, 9), `${pan.slice(9)} `, 'paid\n']) out.say(part);
    await finish();
    expect(out.shown.pieces).toEqual([`card ${pan} paid\n`]);
    expect(await events()).toEqual([[0, 'o', `card ${hidden} paid\n`]]);
  });

  test('is not read on past 1 MiB that waits, in however small pieces it comes', async () => {
    const {open, session, finish} = await record();
    const out = open('stdout');
    let bytes = 0;
    for (; !session.congested; bytes += 4096) out.say('x'.repeat(4096));
    expect(bytes / 1024).toBe(1028);
    await new Promise<void>((resolve) => {
      session.onDrain = resolve;
    });
    expect(session.congested).toBe(false);
    out.end();
    await finish();
    expect(out.shown.text.length).toBe(bytes);
  });

  test('and the size of the terminal are on record in the order in which they came', async () => {
    const {open, session, events, finish} = await record();
    const out = open('stdout');
    out.say('a');
    session.resize(Buffer.from('{"Width":120,"Height":40}'));
    out.say('b');
    await finish();
    expect(await events()).toEqual([
      [0, 'o', 'a'],
      [0, 'r', '120x40'],
      [0, 'o', 'b'],
    ]);
  });

  test('is on record before the agent sees it', async () => {
    const {session, path, finish} = await record();
    const seen: boolean[] = [];
    let text = '';
    const output = session.output('stdout', {
      emit: (bytes) => {
        text += bytes.toString();
        seen.push(readFileSync(path, 'utf8').includes(JSON.stringify(bytes.toString())));
      },
      ended: () => {},
    });
    for (let i = 0; i < 100; i++) {
      output.push(Buffer.from(`line ${i}\n`));
      if (i % 7 === 0) await sleep(1);
    }
    await finish();
    expect(text.split('\n')).toHaveLength(101);
    expect(seen.every(Boolean)).toBe(true);
  });

  test('is cut anywhere and still has whole characters on record', async () => {
    const text = 'Zürich – ✓ 🚆 ok';
    const {open, events, finish} = await record();
    const out = open('stdout');
    for (const byte of Buffer.from(text)) out.say(Buffer.from([byte]));
    out.end();
    await finish();
    expect((await events()).map(([, , said]: [number, string, string]) => said).join('')).toBe(text);
    expect(Buffer.from(out.shown.text, 'latin1').toString()).toBe(text);
  });

  test('that is no UTF-8 reaches the agent as it is, and the record as U+FFFD', async () => {
    const {open, events, finish} = await record();
    const out = open('stdout');
    out.say(Buffer.from([0x61, 0xff, 0x62, 0xc3]));
    out.end();
    await finish();
    expect(out.shown).toMatchObject({text: 'a\xffb\xc3', ended: true});
    expect((await events()).map(([, , said]: [number, string, string]) => said).join('')).toBe('a\ufffdb\ufffd');
  });

  test('in one huge frame becomes events of bounded length', async () => {
    const text = 'ä1'.repeat(200_000);
    const {open, events, finish} = await record();
    const out = open('stdout');
    out.say(text);
    out.end();
    await finish();
    const said = (await events()).map(([, , part]: [number, string, string]) => part);
    expect(Math.max(...said.map((part) => Buffer.byteLength(part)))).toBeLessThan(65 * 1024);
    // Compared as a whole: a difference would be printed in full.
    expect(said.join('') === text).toBe(true);
    expect(out.shown.text.length).toBe(600_000);
  });

  test('ends once all of it was shown', async () => {
    const {open, finish} = await record();
    const out = open('stdout');
    out.say('last 4111');
    out.end();
    expect(out.shown).toMatchObject({text: '', ended: false});
    await eventually(() => expect(out.shown).toMatchObject({text: 'last 4111', ended: true}));
    await finish();
  });
});
