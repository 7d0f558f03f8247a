import type {OperationPattern} from '../api/agentaccesspolicy.ts';
import {builtinDenial, execByAnotherDoor, unknownOfThatExec} from '../policy/builtin.ts';
import type {RuleReference} from '../policy/decision.ts';
import {conditionsHold, describeFailure} from '../policy/evaluate.ts';
import type {Activation} from '../policy/expression.ts';
import type {LoadedBundle, LoadedRule} from '../policy/loadedbundle.ts';
import {compilePattern} from '../policy/pattern.ts';
import type {Agent} from '../request/agent.ts';
import type {Operation} from '../request/operation.ts';
import {PartialObject} from '../request/partial.ts';
import {overlap} from './common.ts';
import type {Question} from './question.ts';

/** A rule that bears on what is asked. */
export interface Bearing {
  readonly reference: RuleReference;
  readonly effect: Effect;
  /** What it depends on, where that is not known from the question. */
  readonly depends: string | undefined;
}

type Effect = LoadedRule['rule']['effect'];

/** What policy would say, as far as that is known from the question. */
export type Prospect =
  | {readonly outcome: 'Denied'; readonly by: RuleReference}
  /** `failed`: rules that would allow it if their conditions did not fail. */
  | {readonly outcome: 'DeniedByDefault'; readonly failed: readonly RuleReference[]}
  | {readonly outcome: 'NeedsApproval'; readonly by: readonly Bearing[]}
  | {
      readonly outcome: 'Allowed';
      readonly by: Bearing;
      /** Rules that may deny it or hold it for approval. */
      readonly unless: readonly Bearing[];
    };

/** `Every`: what a review asks, that all of it may be done. `Some`: whether any of it may. */
export type Quantity = 'Every' | 'Some';

/**
 * What would be decided on a call of which only the question of a review is known. Where a rule's conditions need more,
 * it bears perhaps; the call itself decides.
 */
export function prospectOf(
  bundle: LoadedBundle,
  agent: Agent,
  question: Question,
  {now, quantity}: {readonly now: Date; readonly quantity: Quantity},
): Prospect {
  const {operation} = question;
  const builtin = builtinDenial(quantity === 'Every' ? narrowed(operation) : operation);
  if (builtin !== undefined) return {outcome: 'Denied', by: builtin};

  const reading = readingOf(bundle, agent, operation, question.unknown, 'not part of the question', now);
  const otherDoor = execByAnotherDoor(quantity === 'Every' ? narrowedToPods(operation) : operation);
  const readings = [reading];
  if (otherDoor !== undefined) {
    const unknown = new Set([...question.unknown, ...unknownOfThatExec.fields]);
    readings.push(readingOf(bundle, agent, otherDoor, unknown, unknownOfThatExec.reason, now));
  }
  const restricting = (rules: readonly LoadedRule[]) =>
    rules.flatMap((rule) => restrictingBearing(rule, readings, quantity) ?? []);

  const rules = bundle.applicable(agent, operation);
  const deny = restricting(rules.deny);
  const denying = deny.find(({depends}) => depends === undefined);
  if (denying !== undefined) return {outcome: 'Denied', by: denying.reference};
  const approval = restricting(rules.requireApproval);
  const holding = approval.filter(({depends}) => depends === undefined);
  if (holding.length > 0) return {outcome: 'NeedsApproval', by: holding};

  const allow = rules.allow.flatMap((rule) =>
    rule.matches(operation) ? (bearingOf(rule, reading.activate) ?? []) : [],
  );
  const allowing = allow.filter(({reference}) => reference.error === undefined);
  const by = allowing.find(({depends}) => depends === undefined) ?? allowing[0];
  if (by !== undefined) return {outcome: 'Allowed', by, unless: [...deny, ...approval]};
  return approval.length > 0
    ? {outcome: 'NeedsApproval', by: approval}
    : {outcome: 'DeniedByDefault', failed: allow.map(({reference}) => reference)};
}

/** The operation as rules see it, and what their conditions see. */
interface Reading {
  readonly operation: Operation;
  readonly activate: () => Activation;
}

function readingOf(
  bundle: LoadedBundle,
  agent: Agent,
  operation: Operation,
  fields: ReadonlySet<string>,
  reason: string,
  now: Date,
): Reading {
  const {verb} = operation;
  const body = new PartialObject('not part of the question');
  let activation: Activation | undefined;
  const activate = () => {
    activation ??= bundle.expressions.activate({
      operation,
      agent,
      object: verb === 'create' || verb === 'update' || verb === '*' ? body : null,
      patch: verb === 'patch' || verb === '*' ? body : null,
      now,
      unknown: {fields, reason},
    });
    return activation;
  };
  return {operation, activate};
}

function restrictingBearing(rule: LoadedRule, readings: readonly Reading[], quantity: Quantity): Bearing | undefined {
  let perhaps: Bearing | undefined;
  for (const {operation, activate} of readings) {
    const extent = quantity === 'Some' ? (rule.matches(operation) ? 'All' : 'None') : extentOf(rule, operation);
    if (extent === 'None') continue;
    const bearing = bearingOf(rule, activate);
    if (bearing === undefined) continue;
    if (bearing.depends === undefined && extent === 'All') return bearing;
    perhaps ??= {...bearing, depends: bearing.depends ?? 'for some names'};
  }
  return perhaps;
}

/** The rule where its conditions hold, may hold or fail; what fails whatever is asked has `reference.error`. */
function bearingOf(rule: LoadedRule, activate: () => Activation): Bearing | undefined {
  const {reference} = rule;
  const {effect} = rule.rule;
  const holds = conditionsHold(rule, activate);
  if (holds === false) return undefined;
  if (holds === true) return {reference, effect, depends: undefined};
  const {condition, error} = holds;
  if (error.code !== 'Unavailable') {
    return {reference: {...reference, error: describeFailure(holds)}, effect, depends: undefined};
  }
  const what = error.message.slice(0, error.message.indexOf(':'));
  return {reference, effect, depends: `its condition ${JSON.stringify(condition)} looks at ${what}`};
}

/**
 * How far a rule that restricts reaches into what is asked. Of all of something it need match only a part; of an object
 * that is not named, a rule on some names is about some.
 */
function extentOf({rule}: LoadedRule, operation: Operation): 'All' | 'Some' | 'None' {
  let extent: 'Some' | 'None' = 'None';
  for (const pattern of rule.operations) {
    if (matchesPart(pattern, rule.effect, operation)) return 'All';
    const ofAnyName = {...pattern, resourceNames: []};
    if (operation.name === '' && isOfOneObject(operation) && matchesPart(ofAnyName, rule.effect, operation)) {
      if (operation.verb === '*') return 'All';
      extent = 'Some';
    }
  }
  return extent;
}

function isOfOneObject({verb}: Operation): boolean {
  return verb !== 'create' && verb !== 'list' && verb !== 'watch' && verb !== 'deletecollection';
}

function matchesPart(pattern: OperationPattern, effect: Effect, operation: Operation): boolean {
  const {verb, apiGroup, resource, subresource} = operation;
  const all = ['*'];
  if (pattern.nonResourceURLs !== undefined && pattern.nonResourceURLs.length > 0) {
    const nonResourceURLs = pattern.nonResourceURLs.filter((url) => overlap(url, operation.path));
    const widened = {verbs: verb === '*' ? all : pattern.verbs, nonResourceURLs: all};
    return nonResourceURLs.length > 0 && compilePattern(widened as OperationPattern, effect)(operation);
  }
  const widened = {
    ...pattern,
    ...(verb === '*' && {verbs: all}),
    ...(apiGroup === '*' && {apiGroups: all}),
    ...(resource === '*' && {resources: all}),
    ...((subresource === '*' || (resource === '*' && subresource === '')) && {subresources: all}),
  };
  return compilePattern(widened as OperationPattern, effect)(operation);
}

/** Of everything, what is decided as exec as well. */
function narrowedToPods(operation: Operation): Operation {
  const {apiGroup, resource, subresource} = operation;
  const isAll = subresource === '*' || (resource === '*' && subresource === '');
  return {
    ...operation,
    apiGroup: apiGroup === '*' ? '' : apiGroup,
    resource: resource === '*' ? 'pods' : resource,
    subresource: isAll ? 'ephemeralcontainers' : subresource,
  };
}

/** Of everything, what a built-in rule denies. */
function narrowed(operation: Operation): Operation {
  return operation.apiGroup === '*' ? {...operation, apiGroup: 'lockkeeper.dev'} : operation;
}
