import {DeepRedact} from '@hackylabs/deep-redact';
import {Redactor} from '@redactpii/node';
import type {MaskDocument} from './maskdocuments.ts';

/** What else can be had for Node to hide card numbers with: strings in, strings out, none of them streams. */
export interface NpmRedactor {
  readonly name: string;
  /** Gives how many it hid. */
  redact(document: MaskDocument): number;
}

const hidden = 'HIDDEN-CARD';

const redactPII = new Redactor({rules: {CREDIT_CARD: true}, globalReplaceWith: hidden});

/** It brings no patterns; this is the usual one: 13 to 19 digits, a space or a hyphen between any two. */
const card = '\\b(?:[0-9][ -]?){12,18}[0-9]\\b';
const deepRedact = new DeepRedact({
  stringTests: [{pattern: new RegExp(card), replacer: (value) => value.replace(new RegExp(card, 'g'), hidden)}],
});

export const npmRedactors: readonly NpmRedactor[] = [
  {
    name: '@redactpii/node',
    redact: ({bytes}) => countHidden(Buffer.from(redactPII.redact(bytes.toString()))),
  },
  {
    name: '@hackylabs/deep-redact',
    redact({bytes, mediaType}) {
      const text = bytes.toString();
      const redacted =
        mediaType === 'json' ? JSON.stringify(deepRedact.redact(JSON.parse(text))) : deepRedact.redact(text);
      return countHidden(Buffer.from(redacted as string));
    },
  },
];

function countHidden(bytes: Buffer): number {
  let count = 0;
  for (let at = bytes.indexOf(hidden); at >= 0; at = bytes.indexOf(hidden, at + hidden.length)) count++;
  return count;
}
