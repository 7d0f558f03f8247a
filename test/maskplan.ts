import {compileMasking, type MaskingSource, unitePlan} from '../core/mask/compileplan.ts';
import type {MaskPlan} from '../core/mask/plan.ts';

/** The plan where these entries apply. */
export function planOf(...entries: readonly MaskingSource[]): MaskPlan {
  const plan = unitePlan(entries.map((entry) => ({part: compileMasking(entry), exempt: []})));
  if (plan === undefined) throw new Error('nothing is masked');
  return plan;
}

/** Card numbers, but for their last four digits. */
export const cardsPlan: MaskPlan = planOf({detector: 'PAN'});
