import type {MaskPlan} from './plan.ts';

/** What of a plan no masker can do yet; undefined where all of it can be done. An answer is refused rather than half masked. */
export function unsupported(plan: MaskPlan): string | undefined {
  const {pan} = plan;
  if (pan !== undefined && pan.show !== 'LastFour') return `this version cannot show ${pan.show} of a card number`;
  if (pan?.longDigitRuns) return 'this version cannot look into long digit runs';
  return undefined;
}
