import {describe, expect, test} from '@jest/globals';
import {planOf} from '../../test/maskplan.ts';
import type {MaskingSource} from './compileplan.ts';
import {createMasker} from './createmasker.ts';
import type {MaskMediaType} from './masker.ts';

const pan = '4111111111111111';
const masked = '************1111';
const cards: MaskingSource = {detector: 'PAN'};
const tokens: MaskingSource = {detector: 'Regex', regex: {pattern: 'tok_[a-z0-9]+'}};
const data = (action: string): MaskingSource => ({detector: 'Field', field: {paths: ['data.secret'], action}});

/** What comes out where the input comes in pieces of a length, twice by the same masker. */
function through(sources: readonly MaskingSource[], mediaType: MaskMediaType, input: string, length = input.length) {
  const masker = createMasker({mediaType, plan: planOf(...sources)});
  const run = () => {
    const out: Buffer[] = [];
    const emit = (bytes: Buffer) => void out.push(Buffer.from(bytes));
    for (let at = 0; at < input.length; at += length) masker.push(Buffer.from(input.slice(at, at + length)), emit);
    masker.end(emit);
    return Buffer.concat(out).toString();
  };
  const first = run();
  expect(run()).toBe(first);
  return {text: first, counts: masker.counts};
}

describe('the detectors of a plan work together', () => {
  const json = `{"data":{"secret":"x ${pan}","other":"${pan} tok_1"},"tok_2":[${pan}]}`;

  test.each<[string, MaskingSource[], MaskMediaType, string, string]>([
    ['cards and patterns in text', [cards, tokens], 'text', `${pan} tok_a1 b`, `${masked} ****** b`],
    [
      'cards, patterns and members in JSON',
      [cards, tokens, data('Mask')],
      'json',
      json,
      `{"data":{"secret":"******************","other":"${masked} *****"},"*****":["**********1111"]}`,
    ],
    [
      'members that are removed',
      [cards, tokens, data('Remove')],
      'json',
      json,
      `{"data":{"other":"${masked} *****"},"*****":["**********1111"]}`,
    ],
    ['members alone', [data('Mask')], 'json', json, json.replace(`x ${pan}`, '*'.repeat(18))],
    ['patterns alone', [tokens], 'json', json, json.replace('tok_1', '*****').replace('tok_2', '*****')],
    ['members of text, which has none', [data('Mask'), cards], 'text', json, json.replaceAll(pan, masked)],
    ['members of text, and nothing else', [data('Mask')], 'text', json, json],
  ])('%s', (_name, sources, mediaType, input, expected) => {
    for (const length of [input.length, 1, 7]) expect(through(sources, mediaType, input, length).text).toBe(expected);
  });

  test('and count each on its own', () => {
    const {counts} = through([cards, tokens, data('Mask')], 'json', json);
    expect(counts).toMatchObject({PAN: 4, Regex: 4, Field: 2});
  });
});
