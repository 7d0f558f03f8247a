import {setTimeout as sleep} from 'node:timers/promises';
import {expect, test} from '@jest/globals';
import {eventually} from '../../test/eventually.ts';
import {cardsPlan} from '../../test/maskplan.ts';
import {MaskedChannel} from './channel.ts';

/** A channel, and what it puts. */
function open() {
  const put: string[] = [];
  const channel = new MaskedChannel({
    shown: cardsPlan,
    recorded: cardsPlan,
    put: (_recorded, shown) => put.push(shown.toString()),
    failed(error) {
      throw error;
    },
  });
  return {channel, put, push: (text: string) => channel.push(Buffer.from(text))};
}

const longerThanHeld = 80;

test('what may be a card number is put after a moment', async () => {
  const {push, put, channel} = open();
  push('$ 4111');
  expect(put).toEqual(['$ ']);
  await eventually(() => expect(put).toEqual(['$ ', '4111']));
  channel.close();
});

test('what may be a card number waits as long as it takes for more that is there already, then for a moment again', async () => {
  const {push, put, channel} = open();
  push('$ 4111');
  channel.wait();
  await sleep(longerThanHeld);
  expect(put).toEqual(['$ ']);
  push('1111');
  expect(put).toEqual(['$ ']);
  await eventually(() => expect(put.join('')).toBe('$ 411111**'));
  channel.close();
});

test('what may be a card number is not put any more after the end, also where more was on its way', async () => {
  const {push, put, channel} = open();
  push('$ 41');
  channel.close();
  push('11');
  await sleep(longerThanHeld);
  expect(put).toEqual(['$ ']);
});
