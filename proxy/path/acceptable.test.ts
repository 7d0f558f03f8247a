import {expect, test} from '@jest/globals';
import type {MaskPlan} from '../../core/mask/plan.ts';
import type {Obligations} from '../../core/policy/decision.ts';
import {cardsPlan, planOf} from '../../test/maskplan.ts';
import {operation} from '../../test/operations.ts';
import {callOf} from '../../test/proxy/call.ts';
import {acceptNegotiator} from '../forward/negotiate.ts';
import {acceptableAnswer} from './acceptable.ts';

const table = 'application/json;as=Table;v=v1;g=meta.k8s.io';
const hiding = (...paths: readonly string[]) => planOf({detector: 'Field', field: {paths}}, {detector: 'PAN'});

function asked(masking: MaskPlan | undefined, accept: string, apiGroup = '') {
  const {call} = callOf({headers: {accept}});
  const obligations = {masking, maskingRefusal: undefined} as Obligations;
  return acceptableAnswer(obligations, call, operation({apiGroup}), acceptNegotiator());
}

test.each<[string, MaskPlan | undefined, string]>([
  ['no policy masks', undefined, ''],
  ['values are looked through', cardsPlan, ''],
  ['values of a ConfigMap are hidden', hiding('data.*', 'binaryData'), ''],
  ['environment variables are hidden', hiding('spec.template.spec.containers[*].env[*].value'), 'apps'],
])('a table is asked for where %s', (_name, plan, apiGroup) => {
  expect(asked(plan, `${table},application/json`, apiGroup)).toMatch(/as=Table/);
});

test.each<[string, MaskPlan, string]>([
  ['other members of what is built in', hiding('data.*', 'spec.nodeName'), ''],
  ['any member of a custom resource', hiding('data.*'), 'example.com'],
])('no table is asked for where cells may show %s', (_name, plan, apiGroup) => {
  expect(asked(plan, `${table},application/json`, apiGroup)).toBe('application/json');
  expect(() => asked(plan, table, apiGroup)).toThrow(expect.objectContaining({code: 'NotAcceptable', httpStatus: 406}));
});
