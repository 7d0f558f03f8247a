import {describe, expect, test} from '@jest/globals';
import fc from 'fast-check';
import {PanSearch} from './search.ts';

const card = '4111111111111111';
const masked = {name: 'MaskError', code: 'NotMaskable'};

/** Passes pieces through a search and gives what came out, piece by piece. */
function pass(pieces: readonly Buffer[]) {
  const search = new PanSearch();
  const out: Buffer[] = [];
  const emit = (bytes: Buffer) => void out.push(Buffer.from(bytes));
  let error: unknown;
  try {
    for (const piece of pieces) {
      const bytes = Buffer.from(piece);
      search.push(bytes, emit);
      bytes.fill(0);
    }
    search.end(emit);
  } catch (thrown) {
    error = thrown;
  }
  return {out: Buffer.concat(out), error};
}

/** A string as protobuf writes it: field, length, bytes. */
function field(number: number, text: string): Buffer {
  return Buffer.concat([Buffer.from([number * 8 + 2, text.length]), Buffer.from(text)]);
}

describe('finds a card number', () => {
  test.each([
    ['by itself', Buffer.from(card)],
    ['in groups', Buffer.from('4111 1111 1111 1111')],
    ['with hyphens', Buffer.from('x4111-1111-1111-1111x')],
    ['before a tag that looks like a digit', Buffer.concat([field(4, card), field(6, 'next')])],
    ['behind a length that looks like a digit', field(4, `${card} ${'x'.repeat(35)}`)],
    ['among other digits', Buffer.from(`9876${card}1234567890123456789`)],
    ['behind bytes that are no text', Buffer.concat([Buffer.from([0xff, 0x80, 0]), Buffer.from(card)])],
  ])('%s, however the bytes are cut', (_where, bytes) => {
    for (let cut = 0; cut <= bytes.length; cut++) {
      const {out, error} = pass([bytes.subarray(0, cut), bytes.subarray(cut)]);
      expect(error).toMatchObject(masked);
      expect(out.toString('latin1')).not.toMatch(/4111/);
    }
    expect(pass([...bytes].map((byte) => Buffer.from([byte]))).error).toMatchObject(masked);
  });
});

test.each(['', '4111111111111112', '1.2.840.113549', '2026-11-23T04:44:25Z 123456789012', '4111  1111  1111  1111'])(
  'lets %j pass',
  (text) => {
    expect(pass([Buffer.from(text)])).toEqual({out: Buffer.from(text), error: undefined});
  },
);

test('what passes is unchanged, and of what does not no card comes out', () => {
  const text = fc.array(fc.oneof(fc.constantFrom(card, ' ', '-', '1', '22'), fc.string({maxLength: 5})), {
    maxLength: 12,
  });
  fc.assert(
    fc.property(text, fc.array(fc.nat(20)), (parts, cuts) => {
      let rest: Buffer = Buffer.from(parts.join(''));
      const whole = rest;
      const pieces = cuts.map((cut) => {
        const piece = rest.subarray(0, cut);
        rest = rest.subarray(cut);
        return piece;
      });
      const {out, error} = pass([...pieces, rest]);
      expect(out.toString()).not.toContain(card);
      if (error === undefined) expect(out.equals(whole)).toBe(true);
      else expect(whole.subarray(0, out.length).equals(out)).toBe(true);
    }),
    {numRuns: 500},
  );
});
