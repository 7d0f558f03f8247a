import {expect, test} from '@jest/globals';
import fc from 'fast-check';
import {compileMasking, unitePlan} from '../../core/mask/compileplan.ts';
import {maskedFields, maskedValues} from '../../core/mask/counts.ts';
import type {MaskPlan} from '../../core/mask/plan.ts';
import {Maskers, WatchMasker} from './maskers.ts';

const plan = unitePlan([
  {part: compileMasking({detector: 'PAN'}), exempt: []},
  {part: compileMasking({detector: 'CardVerificationCode'}), exempt: []},
  {part: compileMasking({detector: 'Regex', regex: {pattern: 'tok_[0-9]+'}}), exempt: []},
  {part: compileMasking({detector: 'Field', field: {paths: ['data.secret']}}), exempt: []},
]) as MaskPlan;

function event(data: object): string {
  return `${JSON.stringify({type: 'ADDED', object: {kind: 'ConfigMap', data}})}\n`;
}

function through(reader: WatchMasker | ReturnType<Maskers['take']>, text: string, sizes: readonly number[]): string {
  const out: Buffer[] = [];
  const emit = (bytes: Buffer) => void out.push(Buffer.from(bytes));
  const bytes = Buffer.from(text);
  for (let at = 0, index = 0; at < bytes.length; index++) {
    const size = sizes[index % sizes.length] ?? bytes.length;
    reader.push(Buffer.from(bytes.subarray(at, at + size)), emit);
    at += size;
  }
  reader.end(emit);
  return Buffer.concat(out).toString();
}

const value = fc.constantFrom('4111111111111111', '4111 1111 1111 1111', 'tok_123', 'a "b" {c} \\', '123', 'plain');
const data = fc.dictionary(fc.constantFrom('secret', 'cvv', 'card', 'note'), value);

test('the events of a watch are masked as one stream of them is, however they are cut', () => {
  const maskers = new Maskers();
  const sizes = fc.array(fc.integer({min: 1, max: 200}), {minLength: 1, maxLength: 5});
  fc.assert(
    fc.property(fc.array(data, {maxLength: 6}), sizes, (events, cuts) => {
      const text = events.map(event).join('');
      const watch = new WatchMasker(() => maskers.take('json', plan, false));
      const whole = maskers.take('json', plan, false);
      expect(through(watch, text, cuts)).toBe(through(whole, text, [text.length]));
      expect(maskedValues(watch.counts)).toEqual(maskedValues(whole.counts));
      expect(maskedFields(watch.counts)).toEqual(maskedFields(whole.counts));
    }),
  );
});

test('a watch on which nothing passes has no masker', () => {
  let taken = 0;
  const maskers = new Maskers();
  const watch = new WatchMasker(() => {
    taken++;
    return maskers.take('json', plan, false);
  });
  const emitted: string[] = [];
  const emit = (bytes: Buffer) => void emitted.push(bytes.toString());
  for (let number = 1; number <= 3; number++) {
    const text = event({card: '4111111111111111'});
    watch.push(Buffer.from(text.slice(0, 60)), emit);
    watch.push(Buffer.from(text.slice(60)), emit);
    // Out whole, though the watch goes on.
    expect(emitted.join('')).toBe(text.replace('4111111111111111', '************1111').repeat(number));
    expect(taken).toBe(number);
    expect(maskedValues(watch.counts)).toEqual({PAN: number});
  }
});
