import {glob, readFile} from 'node:fs/promises';
import path from 'node:path';
import {describe, expect, test} from '@jest/globals';

const root = path.resolve(import.meta.dirname, '..');
const document = await readFile(path.join(root, 'docs/pitfalls.md'), 'utf8');
const listed = [...document.matchAll(/^\| +(\d+) \|/gm)].map(([, number]) => Number(number));
const skipped = (name: string) => ['node_modules', 'dist', '.lockkeeper', '.git'].includes(name);

/** Numbers that begin the names of tests. */
const named = new Set<number>();
for await (const file of glob('**/*.test.ts', {cwd: root, exclude: skipped})) {
  const source = await readFile(path.join(root, file), 'utf8');
  for (const [, numbers = ''] of source.matchAll(/['"`]pitfall ([\d, ]+): /g)) {
    for (const number of numbers.split(',').map(Number)) named.add(number);
  }
}

describe('each fault that others shipped has a test named by its number', () => {
  for (const number of listed) test(`${number}`, () => expect(named).toContain(number));
});

test('each number in the name of a test is listed', () => {
  expect([...named].filter((number) => !listed.includes(number))).toEqual([]);
});
