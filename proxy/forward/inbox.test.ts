import {describe, expect, test} from '@jest/globals';
import {Inbox} from './inbox.ts';
import {OutboxBuffers, pieceBytes} from './outbox.ts';

function inbox(take?: (bytes: Buffer) => void) {
  const taken: string[] = [];
  const turns: string[] = [];
  const box: Inbox = new Inbox(new OutboxBuffers(), take ?? ((bytes) => void taken.push(bytes.toString())), () => {
    turns.push('turn');
    box.deliver();
  });
  return {box, taken, turns};
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

describe('what comes in', () => {
  test('in one turn is handed on as one, at its end', async () => {
    const {box, taken, turns} = inbox();
    for (const text of ['a', 'b', 'c']) box.put(Buffer.from(text));
    expect(taken).toEqual([]);
    await turn();
    expect({taken, turns}).toEqual({taken: ['abc'], turns: ['turn']});
    box.put(Buffer.from('d'));
    await turn();
    expect(taken).toEqual(['abc', 'd']);
  });

  test('is handed on at once where a buffer is full', async () => {
    const {box, taken} = inbox();
    box.put(Buffer.alloc(2 * pieceBytes + 3, 'x'));
    expect(taken.map(({length}) => length)).toEqual([pieceBytes, pieceBytes]);
    await turn();
    expect(taken.map(({length}) => length)).toEqual([pieceBytes, pieceBytes, 3]);
  });

  test('is handed on when it is asked for, and then not again', async () => {
    const {box, taken, turns} = inbox();
    box.put(Buffer.from('a'));
    box.deliver();
    box.deliver();
    await turn();
    expect({taken, turns}).toEqual({taken: ['a'], turns: []});
  });

  test('is a copy: what is done to the bytes afterwards does not matter', () => {
    const {box, taken} = inbox();
    const bytes = Buffer.from('abc');
    box.put(bytes);
    bytes.fill('x');
    box.deliver();
    expect(taken).toEqual(['abc']);
  });

  test('is forgotten where it is discarded', async () => {
    const {box, taken, turns} = inbox();
    box.put(Buffer.from('a'));
    box.discard();
    await turn();
    box.deliver();
    expect({taken, turns}).toEqual({taken: [], turns: []});
  });

  test('is not handed on twice where taking it failed', () => {
    let calls = 0;
    const {box} = inbox(() => {
      calls++;
      throw new Error('masking failed');
    });
    box.put(Buffer.from('a'));
    expect(() => box.deliver()).toThrow('masking failed');
    box.deliver();
    expect(calls).toBe(1);
  });
});
