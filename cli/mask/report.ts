import {Readable, type Writable} from 'node:stream';
import {pipeline} from 'node:stream/promises';
import {createMasker} from '../../core/mask/createmasker.ts';
import type {Finding} from '../../core/mask/findinglog.ts';
import type {MaskMediaType} from '../../core/mask/masker.ts';
import type {MaskPlan} from '../../core/mask/plan.ts';

/**
 * Writes what would be masked, one line of JSON for each finding in the order of the input: its offset and length in
 * bytes, the detector, and the brand of a card. No digit of it. Findings are in memory until the input ends.
 *
 * @param base64 as of a masker
 * @throws where a masker does: then nothing was written
 */
export async function report(
  source: Readable,
  target: Writable,
  {plan, mediaType, base64}: {readonly plan: MaskPlan; readonly mediaType: MaskMediaType; readonly base64: boolean},
): Promise<void> {
  const findings: Finding[] = [];
  const masker = createMasker({
    mediaType,
    plan: withoutRemoval(plan),
    base64,
    onFinding: (finding) => findings.push(finding),
  });
  for await (const chunk of source as AsyncIterable<Buffer>) masker.push(chunk, () => {});
  masker.end(() => {});
  // What is found in base64, in members and by patterns is each found on its own.
  findings.sort((one, other) => one.start - other.start || one.end - other.end);
  await pipeline(Readable.from(linesOf(findings)), target, {end: false});
}

/** Where members are removed all that follows has another place. Nothing more is found in them when they are masked. */
function withoutRemoval(plan: MaskPlan): MaskPlan {
  return {...plan, fields: plan.fields.map(({path}) => ({path, action: 'Mask'}))};
}

function* linesOf(findings: readonly Finding[]): Iterable<string> {
  for (const {start, end, detector, network} of findings) {
    yield `${JSON.stringify({offset: start, length: end - start, detector, brand: network})}\n`;
  }
}
