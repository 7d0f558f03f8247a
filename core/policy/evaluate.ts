import type {Agent} from '../request/agent.ts';
import type {Operation} from '../request/operation.ts';
import {builtinDenial, execByAnotherDoor, unknownOfThatExec} from './builtin.ts';
import type {DryRunMatch, Obligations, RuleReference} from './decision.ts';
import {type Activation, ExpressionError} from './expression.ts';
import type {LoadedBundle, LoadedRule} from './loadedbundle.ts';
import type {ObligationsOfPlace} from './obligations.ts';

/**
 * The rules whose patterns match a request, before their conditions. Small and quick to come by, so that a request whose
 * body matters to no rule is decided without reading it.
 */
export interface Selection {
  readonly agent: Agent;
  readonly operation: Operation;
  /** What the operation amounts to by another name, to rules that restrict; see {@link execByAnotherDoor}. */
  readonly exec: Operation | undefined;
  readonly bundle: LoadedBundle;
  /** Where no rule lifts masking. */
  readonly obligations: Obligations;
  readonly obligationsOfPlace: ObligationsOfPlace;
  /** Denied before any policy. */
  readonly builtin: RuleReference | undefined;
  readonly deny: readonly LoadedRule[];
  readonly requireApproval: readonly LoadedRule[];
  readonly allow: readonly LoadedRule[];
  readonly dryRun: readonly LoadedRule[];
  /**
   * What `decide`, approval or the record need of the body. `Observed`: only rules of DryRun policies look at it, so it
   * is read where it can be, and the call is not refused where it cannot.
   */
  readonly body: 'NotNeeded' | 'Observed' | 'Required';
  /** `body` is not NotNeeded. */
  readonly needsBody: boolean;
}

/** The body as far as it was read: undefined where it was not or could not be, null where there is none. */
export interface RequestBody {
  /** The decoded body of create and update. */
  readonly object?: unknown;
  /** The decoded body of patch. */
  readonly patch?: unknown;
}

const none: readonly LoadedRule[] = [];

/** Finds the rules whose patterns match, and whether the body is needed to go on. */
export function select(bundle: LoadedBundle, agent: Agent, operation: Operation): Selection {
  const {obligations: obligationsOfPlace, ...rules} = bundle.applicable(agent, operation);
  const obligations = obligationsOfPlace.of(operation, undefined);
  const exec = execByAnotherDoor(operation);
  const deny = matching(rules.deny, operation, exec);
  const requireApproval = matching(rules.requireApproval, operation, exec);
  const allow = matching(rules.allow, operation, exec);
  const dryRun = matching(rules.dryRun, operation, exec);
  const body =
    requireApproval.length > 0 || obligations.auditLevel !== 'Metadata' || deny.some(readsBody) || allow.some(readsBody)
      ? 'Required'
      : dryRun.some(readsBody)
        ? 'Observed'
        : 'NotNeeded';
  return {
    agent,
    operation,
    exec,
    bundle,
    obligations,
    obligationsOfPlace,
    builtin: builtinDenial(operation),
    deny,
    requireApproval,
    allow,
    dryRun,
    body,
    needsBody: body !== 'NotNeeded',
  };
}

function matching(
  rules: readonly LoadedRule[],
  operation: Operation,
  exec: Operation | undefined,
): readonly LoadedRule[] {
  let found: LoadedRule[] | undefined;
  for (const rule of rules) {
    if (rule.matches(operation) || (exec !== undefined && restricts(rule) && rule.matches(exec))) {
      found ??= [];
      found.push(rule);
    }
  }
  return found ?? none;
}

function restricts({rule}: LoadedRule): boolean {
  return rule.effect !== 'Allow';
}

function readsBody(rule: LoadedRule): boolean {
  return rule.readsBody;
}

/** What the rules say, with no power to permit anything. */
export type Verdict =
  | {readonly outcome: 'Denied'; readonly by: RuleReference}
  | {readonly outcome: 'DeniedByDefault'; readonly failed: readonly RuleReference[]}
  | {readonly outcome: 'NeedsApproval'; readonly required: readonly {rule: LoadedRule; reference: RuleReference}[]}
  | {readonly outcome: 'Allowed'; readonly by: LoadedRule};

/** The evaluation of one request: its variables are made when the first condition needs them. */
export class Evaluation {
  readonly #selection: Selection;
  readonly #body: RequestBody;
  readonly #now: Date;
  #activation: Activation | undefined;
  #execActivation: Activation | undefined;

  constructor(selection: Selection, body: RequestBody, now: Date) {
    this.#selection = selection;
    this.#body = body;
    this.#now = now;
  }

  /** The architecture's order: Deny, then RequireApproval, then Allow, then denied by default. */
  verdict(): Verdict {
    const {builtin, deny, requireApproval, allow} = this.#selection;
    if (builtin !== undefined) {
      return {outcome: 'Denied', by: builtin};
    }
    for (const rule of deny) {
      const by = this.#failingClosed(rule);
      if (by !== undefined) {
        return {outcome: 'Denied', by};
      }
    }
    const required = requireApproval.flatMap((rule) => {
      const reference = this.#failingClosed(rule);
      return reference === undefined ? [] : [{rule, reference}];
    });
    if (required.length > 0) {
      return {outcome: 'NeedsApproval', required};
    }
    const failed: RuleReference[] = [];
    for (const rule of allow) {
      const holds = conditionsHold(rule, this.#activate);
      if (holds === true) {
        return {outcome: 'Allowed', by: rule};
      }
      if (holds !== false) {
        failed.push({...rule.reference, error: describeFailure(holds)});
      }
    }
    return {outcome: 'DeniedByDefault', failed};
  }

  /** What the matching rules of DryRun policies would have done; an Allow that failed would have done nothing. */
  dryRun(): readonly DryRunMatch[] {
    return this.#selection.dryRun.flatMap((rule) => {
      const {effect} = rule.rule;
      const reference = restricts(rule) ? this.#failingClosed(rule) : this.#holding(rule);
      return reference === undefined ? [] : [{...reference, effect}];
    });
  }

  #holding(rule: LoadedRule): RuleReference | undefined {
    return conditionsHold(rule, this.#activate) === true ? rule.reference : undefined;
  }

  /** The rule's reference where it matches or may match: a condition that fails counts as one that holds. */
  #failingClosed(rule: LoadedRule): RuleReference | undefined {
    const {operation, exec} = this.#selection;
    // A rule may be here for what the operation amounts to, for the operation itself, or for both.
    let holds = (exec === undefined || rule.matches(operation)) && conditionsHold(rule, this.#activate);
    if (holds === false && exec !== undefined && rule.matches(exec)) {
      holds = conditionsHold(rule, this.#activateExec);
    }
    if (holds === false) {
      return undefined;
    }
    return holds === true ? rule.reference : {...rule.reference, error: describeFailure(holds)};
  }

  readonly #activate = (): Activation => {
    const {bundle, agent, operation} = this.#selection;
    this.#activation ??= bundle.expressions.activate({
      operation,
      agent,
      // Requests of other verbs have no object or patch, and that is known: null, not a failure.
      object: operation.verb === 'create' || operation.verb === 'update' ? this.#body.object : null,
      patch: operation.verb === 'patch' ? this.#body.patch : null,
      now: this.#now,
    });
    return this.#activation;
  };

  readonly #activateExec = (): Activation => {
    const {bundle, agent, operation, exec = operation} = this.#selection;
    this.#execActivation ??= bundle.expressions.activate({
      operation: exec,
      agent,
      object: null,
      patch: null,
      now: this.#now,
      unknown: unknownOfThatExec,
    });
    return this.#execActivation;
  };
}

/** The condition for which it is not known whether all hold. */
export interface ConditionFailure {
  readonly condition: string;
  readonly error: ExpressionError;
}

/**
 * All conditions of a rule together, as CEL's own `&&` and the matchConditions of Kubernetes (KEP-3716) have it: one
 * that is false decides, whatever failed beside it; else one that failed makes the whole fail.
 */
export function conditionsHold(rule: LoadedRule, activate: () => Activation): boolean | ConditionFailure {
  let failure: ConditionFailure | undefined;
  for (const {name, expression} of rule.conditions) {
    const result = expression instanceof ExpressionError ? expression : expression.evaluate(activate());
    if (result === false) {
      return false;
    }
    if (result !== true) {
      failure ??= {condition: name, error: result};
    }
  }
  return failure ?? true;
}

/** For the agent and the record. */
export function describeFailure({condition, error}: ConditionFailure): string {
  return `condition ${JSON.stringify(condition)} failed: ${error.message}`;
}
