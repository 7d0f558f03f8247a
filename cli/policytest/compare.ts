import {isDeepStrictEqual} from 'node:util';
import type {ApprovalRequirement, Decision, RuleReference} from '../../core/policy/decision.ts';
import {isObject, type Path, pathText} from '../schema/schema.ts';
import {type Answer, answerTo} from './answer.ts';
import type {Verdict} from './decide.ts';
import type {Expectation} from './schema.ts';
import {jsonText, type SuiteCase} from './suite.ts';

/** Something that came out otherwise than the test says. */
export interface Difference {
  /** The field of the test that says otherwise. */
  readonly field: Path;
  readonly message: string;
}

type Decided = Exclude<Verdict, {readonly outcome: 'Refused'}>;

/** What of the verdict, and of the answer that the agent would see, is not as expected. */
export function differences(verdict: Verdict, suiteCase: SuiteCase): Difference[] {
  const {expect} = suiteCase.test;
  if (verdict.outcome !== expect.outcome) {
    return [differs(['outcome'], expect.outcome, `${verdict.outcome}: ${reasonOf(verdict)}`)];
  }
  if (verdict.outcome === 'Refused') {
    return expect.message === undefined || expect.message === verdict.message
      ? []
      : [differs(['message'], quoted(expect.message), quoted(verdict.message))];
  }
  const found = ruleDifferences(verdict.decision, expect);
  return found.length > 0 ? found : answerDifferences(verdict, suiteCase);
}

/** No policy spoke. */
const byDefault: RuleReference = {policy: 'default', rule: 'default', message: ''};

function ruleDifferences(decision: Decision, expect: Expectation): Difference[] {
  const spoke = decision.outcome === 'NeedsApproval' ? decision.requirements : [decision.by ?? byDefault];
  const named = (['policy', 'rule', 'message'] as const).filter((field) => expect[field] !== undefined);
  const matching = spoke.filter((reference) => named.every((field) => reference[field] === expect[field]));
  const [first] = matching;
  if (first === undefined) {
    // The nearest: as far as the fields agree.
    const wrong = named.find((field) => !spoke.some((reference) => reference[field] === expect[field])) ?? 'rule';
    const actual = spoke.map((reference) => quoted(reference[wrong])).join(' and ');
    return [differs([wrong], quoted(expect[wrong] ?? ''), `${actual} (${spoke.map(described).join('; ')})`)];
  }
  if (expect.approvers === undefined || decision.outcome !== 'NeedsApproval') return [];
  const approvals = matching as readonly ApprovalRequirement[];
  const expected = {groups: expect.approvers.groups ?? [], users: expect.approvers.users ?? []};
  if (approvals.some(({approval}) => isDeepStrictEqual({...approval.approvers}, expected))) return [];
  const actual = approvals.map(({approval}) => jsonText(approval.approvers)).join(' and ');
  return [differs(['approvers'], jsonText(expected), actual)];
}

function answerDifferences({decision, operation}: Decided, suiteCase: SuiteCase): Difference[] {
  const {test, responseBody, maskedBody} = suiteCase;
  if (test.response === undefined || responseBody === undefined) return [];
  const contentType = test.response.contentType ?? 'application/json';
  const answer = answerTo(operation, decision, contentType, responseBody);
  if ('refused' in answer) {
    return [{field: ['expect'], message: `the agent gets no answer: ${answer.refused}`}];
  }
  return [...bodyDifferences(answer, maskedBody), ...countDifferences(answer, test.expect.counts)];
}

function bodyDifferences(
  {body}: Exclude<Answer, {readonly refused: string}>,
  expected: SuiteCase['maskedBody'],
): Difference[] {
  const field = ['masked', 'body'];
  if (expected === undefined) return [];
  if ('text' in expected) return body === expected.text ? [] : [differs(field, ...differingLine(expected.text, body))];
  let actual: unknown;
  try {
    actual = JSON.parse(body, exactIntegers);
  } catch {
    return [{field, message: `expected JSON, got ${quoted(body.slice(0, 200))}`}];
  }
  const place = differingPlace(expected.value, actual, []);
  if (place === undefined) return [];
  const {path, one, other} = place;
  return [differs(field, `${pathText(path)} ${valueText(one)}`, valueText(other))];
}

/** As the YAML of the test was read. */
function exactIntegers(this: unknown, _: string, value: unknown, context?: {readonly source?: string}): unknown {
  const source = context?.source;
  if (typeof value !== 'number' || source === undefined || !/^-?[0-9]+$/.test(source)) return value;
  return Number.isSafeInteger(value) ? value : BigInt(source);
}

function differingLine(expected: string, actual: string): [string, string] {
  const one = expected.split('\n');
  const other = actual.split('\n');
  const at = one.findIndex((line, index) => line !== other[index]);
  const line = at === -1 ? one.length : at;
  return [`line ${line + 1} ${valueText(one[line])}`, valueText(other[line])];
}

interface Place {
  readonly path: Path;
  readonly one: unknown;
  readonly other: unknown;
}

/** The first place at which two values of JSON differ. */
function differingPlace(one: unknown, other: unknown, path: Path): Place | undefined {
  if (Array.isArray(one) && Array.isArray(other)) {
    const length = Math.max(one.length, other.length);
    for (let index = 0; index < length; index++) {
      const place = differingPlace(one[index], other[index], [...path, index]);
      if (place !== undefined) return place;
    }
    return undefined;
  }
  if (isObject(one) && isObject(other)) {
    for (const name of new Set([...Object.keys(one), ...Object.keys(other)])) {
      const place = differingPlace(one[name], other[name], [...path, name]);
      if (place !== undefined) return place;
    }
    return undefined;
  }
  return isDeepStrictEqual(one, other) ? undefined : {path, one, other};
}

function countDifferences(
  {counts}: Exclude<Answer, {readonly refused: string}>,
  expected: Expectation['counts'],
): Difference[] {
  if (expected === undefined) return [];
  const names = [...new Set([...Object.keys(expected), ...Object.keys(counts)])];
  return names.flatMap((name) => {
    const [one, other] = [expected[name] ?? 0, counts[name] ?? 0];
    return one === other ? [] : [differs(['counts', name], String(one), String(other))];
  });
}

function differs(field: Path, expected: string, actual: string): Difference {
  return {field, message: `expected ${expected}, got ${actual}`};
}

function reasonOf(verdict: Verdict): string {
  if (verdict.outcome === 'Refused') return verdict.message;
  const {decision} = verdict;
  switch (decision.outcome) {
    case 'Denied':
      return decision.reason;
    case 'Allowed':
      return described(decision.by);
    case 'NeedsApproval':
      return decision.requirements.map(described).join('; ');
  }
}

function described({policy, rule, message, error}: RuleReference): string {
  const of = policy === byDefault.policy ? 'no rule allows it' : `policy ${policy}, rule ${rule}`;
  return `${of}${message === '' ? '' : `: ${message}`}${error === undefined ? '' : ` (${error})`}`;
}

function valueText(value: unknown): string {
  return value === undefined ? 'nothing' : jsonText(value);
}

function quoted(text: string): string {
  return JSON.stringify(text);
}
