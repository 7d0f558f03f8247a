import {type AppliedPart, recordParts, unitePlan} from '../../core/mask/compileplan.ts';
import type {MaskPlan} from '../../core/mask/plan.ts';
import {compilePolicies} from '../../core/policy/compile.ts';
import {loadMasking} from '../../core/policy/masking.ts';
import {FileError, readPolicies} from '../policy/read.ts';
import {pathBefore} from '../schema/schema.ts';

/** What is hidden where no policy says otherwise: what the audit log never holds. */
export function defaultPlan(): MaskPlan {
  const plan = unitePlan(recordParts.map((part) => ({part, exempt: []})));
  if (plan === undefined) throw new TypeError('nothing is hidden by default');
  return plan;
}

/** The bytes of a filter come from no resource and no namespace. */
const nowhere = {namespace: '', apiGroup: '', resource: '', subresource: ''};

/**
 * All that the masking entries of these policies hide, wherever the bytes may have come from: an entry counts although
 * it is about some resources, and although it exempts some or some namespaces.
 *
 * @throws {FileError} for a policy that cannot be honoured, with the field
 */
export function planOfPolicies(file: string, text: string): MaskPlan {
  const applied = readPolicies(file, text).flatMap(({policy, lineOf}): AppliedPart[] => {
    const {bundle, problems} = compilePolicies([policy], {
      rootNamespace: policy.metadata?.namespace ?? '',
      revision: '1',
    });
    const [problem] = [...problems.values()].flat().filter((each) => each.startsWith('spec.masking'));
    if (problem !== undefined) throw new FileError(file, lineOf(pathBefore(problem)), problem);
    const entries = bundle.policies.flatMap(({masking}) => masking.map(loadMasking));
    return entries.flatMap(({part, exemptIn}) => (part ? [{part, exempt: exemptIn(nowhere) ?? []}] : []));
  });
  const plan = unitePlan(applied);
  if (plan === undefined) throw new FileError(file, undefined, 'has no masking: nothing would be masked');
  return plan;
}
