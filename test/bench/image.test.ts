import {readFile} from 'node:fs/promises';
import path from 'node:path';
import {expect, test} from '@jest/globals';
import {imageEnvironment, imageNodeFlags} from './image.ts';

test('what is measured runs as the image does', async () => {
  const dockerfile = await readFile(path.join(import.meta.dirname, '../../Dockerfile'), 'utf8');
  const set = [...dockerfile.matchAll(/\b(MALLOC_\w+)=(\S+)/g)].map(([, name, value]) => [name, value]);
  expect(Object.fromEntries(set)).toEqual(imageEnvironment);
  expect(/exec node (.*) \/app\//.exec(dockerfile)?.[1]?.split(' ')).toEqual(imageNodeFlags);
});
