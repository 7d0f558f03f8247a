import {describe, expect, test} from '@jest/globals';
import fc from 'fast-check';
import {
  type AppliedPart,
  compileMasking,
  compilePaths,
  hidesAllOf,
  InvalidMasking,
  type MaskingSource,
  unitePlan,
} from './compileplan.ts';
import type {MaskPlan} from './plan.ts';

/** An entry where it applies but for these members. */
function applied(source: MaskingSource, ...exempt: readonly string[]): AppliedPart {
  return {part: compileMasking(source), exempt: compilePaths(exempt, 'fields')};
}

function plan(...parts: readonly AppliedPart[]): MaskPlan {
  const united = unitePlan(parts);
  if (united === undefined) throw new Error('no plan');
  return united;
}

const field = (action: string | undefined, ...paths: readonly string[]): MaskingSource => ({
  detector: 'Field',
  field: {paths, ...(action !== undefined && {action})},
});
const regex = (pattern: string): MaskingSource => ({detector: 'Regex', regex: {pattern}});
const pan: MaskingSource = {detector: 'PAN'};

describe('an entry cannot be honoured', () => {
  test.each<[string, MaskingSource, string, RegExp]>([
    ['of an unknown detector', {detector: 'Iris'}, 'detector', /unknown detector "Iris"/],
    ['of a detector that objects have', {detector: 'toString'}, 'detector', /unknown detector/],
    ['that shows what no entry may', {...pan, show: 'FirstEight'}, 'show', /None, LastFour, FirstSixLastFour/],
    ['that shows digits of a track', {detector: 'TrackData', show: 'None'}, 'show', /does not go with .* TrackData/],
    ['with an unknown encoding', {...pan, decode: ['Base64', 'Gzip']}, 'decode[1]', /unknown encoding "Gzip"/],
    ['with a pattern in base64', {...regex('a'), decode: ['Base64']}, 'decode', /does not go with/],
    ['Regex without a pattern', {detector: 'Regex'}, 'regex', /is missing/],
    ['with a pattern for card numbers', {...pan, regex: {pattern: 'a'}}, 'regex', /does not go with/],
    ['with a pattern that does not compile', regex('a('), 'regex.pattern', /./],
    ['with a pattern that is not RE2: it looks ahead', regex('a(?=b)'), 'regex.pattern', /./],
    ['with a pattern that is not RE2: it refers back', regex('(a)\\1'), 'regex.pattern', /./],
    ['with a pattern that matches everywhere', regex('x*'), 'regex.pattern', /matches where nothing stands/],
    ['Field without members', {detector: 'Field'}, 'field', /is missing/],
    ['with an unknown action', field('Hash', 'data'), 'field.action', /Mask or Remove, not "Hash"/],
    ['with what is no path', field('Mask', 'data', '.data'), 'field.paths[1]', /"\.data" is no path/],
    ['with members for card numbers', {...pan, field: {paths: ['a']}}, 'field', /does not go with/],
    ['that expects no track', {detector: 'TrackData', unexpected: true}, 'unexpected', /does not go with/],
  ])('%s', (_name, source, at, message) => {
    expect(() => compileMasking(source)).toThrow(InvalidMasking);
    expect(() => compileMasking(source)).toThrow(
      expect.objectContaining({field: at, message: expect.stringMatching(message)}),
    );
  });

  test('and nothing else is thrown, whatever pattern or path it has', () => {
    const pieces = fc.array(fc.constantFrom('a', '(', ')', '[', ']', '{9', ',}', '*', '\\p{', 'L}', '|', '^', '?'));
    const text = fc.oneof(
      fc.string({unit: 'binary'}),
      pieces.map((parts) => parts.join('')),
    );
    fc.assert(
      fc.property(text, fc.boolean(), (written, isPath) => {
        try {
          compileMasking(isPath ? field('Mask', written) : regex(written));
        } catch (error) {
          expect(error).toBeInstanceOf(InvalidMasking);
        }
      }),
      {numRuns: 2000},
    );
  });

  test('but one with parts that say nothing can', () => {
    const empty = {detector: 'TrackData', longDigitRuns: false, unexpected: false, decode: []};
    expect(compileMasking(empty)).toEqual({detector: 'TrackData', decodeBase64: false});
  });
});

describe('a plan', () => {
  test('is none where nothing applies', () => {
    expect(unitePlan([])).toBeUndefined();
  });

  test('holds what every entry asks for', () => {
    const united = plan(
      applied(pan),
      applied({detector: 'TrackData', decode: ['Base64']}),
      applied({detector: 'CardVerificationCode'}),
      applied(regex('b+')),
      applied(regex('a+')),
      applied(regex('b+')),
      applied(field(undefined, 'data.*')),
    );
    expect(united).toMatchObject({
      pan: {show: 'LastFour', longDigitRuns: false},
      trackData: true,
      cardVerificationCode: true,
      regexes: [{pattern: 'a+'}, {pattern: 'b+'}],
      fields: [{path: ['data', '*'], action: 'Mask'}],
      decodeBase64: true,
      exemptFields: [],
    });
  });

  test.each([
    ['FirstSixLastFour', 'LastFour', 'LastFour'],
    ['FirstSixLastFour', 'None', 'None'],
    ['FirstSixLastFour', 'FirstSixLastFour', 'FirstSixLastFour'],
  ])('that shows %s and %s shows %s', (one, other, shown) => {
    expect(plan(applied({...pan, show: one}), applied({...pan, show: other})).pan?.show).toBe(shown);
  });

  test('looks into long digit runs where one entry does', () => {
    expect(plan(applied(pan), applied({...pan, longDigitRuns: true})).pan?.longDigitRuns).toBe(true);
  });

  test('removes a member that another entry masks', () => {
    const {fields} = plan(
      applied(field('Remove', 'a')),
      applied(field('Mask', 'a', 'b')),
      applied(field('Remove', 'b')),
    );
    expect(fields).toEqual([
      {path: ['a'], action: 'Remove'},
      {path: ['b'], action: 'Remove'},
    ]);
  });

  test('leaves a member alone where every entry of that detector does, whatever others do', () => {
    const {exemptFields} = plan(
      applied(pan, 'spec.*', 'data'),
      applied(pan, 'spec.a', 'spec.b.c'),
      applied({detector: 'TrackData'}, 'spec.a'),
      applied({detector: 'CardVerificationCode'}),
      applied(field('Mask', 'spec.z')),
    );
    expect(exemptFields).toEqual([
      {path: ['spec', 'a'], detectors: ['PAN', 'TrackData']},
      {path: ['spec', 'b', 'c'], detectors: ['PAN']},
    ]);
  });

  test('has bounds, past which less is left alone', () => {
    const many = Array.from({length: 32}, (_, index) => `a.*.b${index}`);
    const crossed = many.map((path) => `a.x${path.slice(5)}.*`);
    const {exemptFields} = plan(
      applied(pan, ...many, 'c'),
      applied(pan, ...crossed, 'a.*', 'c'),
      applied(pan, 'a', 'c'),
    );
    expect(exemptFields.length).toBeLessThanOrEqual(256);
  });

  test('has the same key whatever the order of what it is made of, and another for another plan', () => {
    const parts = [applied(pan, 'a', 'b'), applied(regex('a')), applied(regex('b')), applied(field('Mask', 'x', 'y'))];
    expect(plan(...parts.toReversed()).key).toBe(plan(...parts).key);
    const keys = parts.map((_, without) => plan(...parts.filter((_part, index) => index !== without)).key);
    expect(new Set([...keys, plan(...parts).key]).size).toBe(5);
  });

  test('cannot be changed', () => {
    const united = plan(applied(field('Mask', 'a')));
    expect(() => Object.assign(united.fields[0] ?? {}, {action: 'Remove'})).toThrow(TypeError);
  });
});

const parts: fc.Arbitrary<AppliedPart> = fc
  .tuple(
    fc.constantFrom<MaskingSource>(
      pan,
      {...pan, show: 'None'},
      {...pan, show: 'FirstSixLastFour', longDigitRuns: true},
      {detector: 'TrackData', decode: ['Base64']},
      {detector: 'CardVerificationCode'},
      regex('a'),
      regex('b'),
      field('Mask', 'a'),
      field('Remove', 'a.b'),
    ),
    fc.subarray(['a', 'a.b', 'a.*', 'c.*.d']),
  )
  .map(([source, exempt]) => applied(source, ...exempt));

describe('of two plans one hides all that the other does', () => {
  test('where it is made of more', () => {
    fc.assert(
      fc.property(fc.array(parts, {maxLength: 5}), fc.array(parts, {maxLength: 3}), (some, more) => {
        expect(hidesAllOf(unitePlan([...some, ...more]), unitePlan(some))).toBe(true);
      }),
    );
  });

  test.each<[string, MaskPlan | undefined, MaskPlan | undefined]>([
    ['nothing', undefined, plan(applied(pan))],
    ['more digits', plan(applied({...pan, show: 'FirstSixLastFour'})), plan(applied(pan))],
    ['no card numbers', plan(applied(regex('a'))), plan(applied(pan))],
    ['no long digit runs', plan(applied(pan)), plan(applied({...pan, longDigitRuns: true}))],
    ['no tracks', plan(applied(pan)), plan(applied(pan), applied({detector: 'TrackData'}))],
    ['no codes', plan(applied(pan)), plan(applied(pan), applied({detector: 'CardVerificationCode'}))],
    ['another pattern', plan(applied(regex('a'))), plan(applied(regex('b')))],
    ['what base64 holds', plan(applied(pan)), plan(applied({...pan, decode: ['Base64']}))],
    ['a member masked and not removed', plan(applied(field('Mask', 'a'))), plan(applied(field('Remove', 'a')))],
    ['a part of a member', plan(applied(field('Mask', 'a.b'))), plan(applied(field('Mask', 'a')))],
    ['a member left alone', plan(applied(pan, 'a')), plan(applied(pan, 'a.b'))],
  ])('not where it hides %s', (_name, one, other) => {
    expect(hidesAllOf(one, other)).toBe(false);
  });

  test.each<[string, MaskPlan | undefined, MaskPlan | undefined]>([
    ['there is nothing to hide', undefined, undefined],
    [
      'a member is hidden with what is around it',
      plan(applied(field('Remove', 'a'))),
      plan(applied(field('Mask', 'a.b'))),
    ],
    ['less of what the other leaves alone is left alone', plan(applied(pan, 'a.b')), plan(applied(pan, 'a'))],
    [
      'what is left alone is what the other does not look for',
      plan(applied(pan), applied({detector: 'TrackData'}, 'a')),
      plan(applied(pan)),
    ],
  ])('where %s', (_name, one, other) => {
    expect(hidesAllOf(one, other)).toBe(true);
  });
});
