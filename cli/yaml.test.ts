import {describe, expect, test} from '@jest/globals';
import fc from 'fast-check';
import {parseYaml, YamlError} from './yaml.ts';

describe('parseYaml', () => {
  test('gives each document, but for empty ones', () => {
    expect(parseYaml('a: 1\n---\n# nothing\n---\n- b\n').map(({value}) => value)).toEqual([{a: 1}, ['b']]);
  });

  test('keeps every digit of a number', () => {
    expect(parseYaml('[4111111111111111, 4000000000000000006, 1.5]')[0]?.value).toEqual([
      4111111111111111,
      4000000000000000006n,
      1.5,
    ]);
  });

  test.each([
    [['a'], 2],
    [['a', 'b', 1], 4],
    [['a', 'gone', 7], 2],
    [['gone'], 2],
    [[], 2],
  ])('knows the line of %j', (path, line) => {
    expect(parseYaml('# comment\na:\n  b: [1,\n    2]\n')[0]?.lineOf(path)).toBe(line);
  });

  test.each([
    ['a: [', 1],
    ['a: 1\na: 2\n', 2],
    ['a: b: c\n', 1],
    ['\ta: 1\n', 1],
    ['a: *unknown\n', 1],
  ])('says in which line %j is no YAML', (text, line) => {
    expect(() => parseYaml(text)).toThrow(expect.objectContaining({name: 'YamlError', code: 'NotYaml', line}));
  });

  test('refuses what grows without bound', () => {
    const bomb = ['a: &a [x,x,x,x,x,x,x,x,x]'];
    for (let level = 1; level < 9; level++) {
      const [here, below] = [String.fromCharCode(97 + level), String.fromCharCode(96 + level)];
      bomb.push(`${here}: &${here} [${Array.from({length: 9}, () => `*${below}`)}]`);
    }
    expect(() => parseYaml(bomb.join('\n'))).toThrow(YamlError);
  });

  test('throws nothing else, whatever it is given', () => {
    const piece = fc.constantFrom(
      'a',
      ': ',
      '\n',
      '- ',
      '  ',
      '[',
      ']',
      '{',
      '}',
      '"',
      "'",
      '&x',
      '*x',
      '!!int',
      '|',
      '---\n',
      '\t',
      '#',
      '0x1',
      '1e999',
      '\u0000',
    );
    fc.assert(
      fc.property(fc.array(piece, {maxLength: 30}), (pieces) => {
        try {
          for (const {value, lineOf} of parseYaml(pieces.join(''))) {
            expect(value).toBeDefined();
            expect(lineOf(['a', 0])).toBeGreaterThan(0);
          }
        } catch (error) {
          if (!(error instanceof YamlError)) throw error;
        }
      }),
      {numRuns: 1000},
    );
  });
});
