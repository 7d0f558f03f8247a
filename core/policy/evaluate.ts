import type {Agent} from '../request/agent.ts';
import type {Operation} from '../request/operation.ts';
import type {DryRunMatch, Obligations, RuleReference} from './decision.ts';
import {type Activation, ExpressionError} from './expression.ts';
import type {LoadedBundle, LoadedRule} from './loadedbundle.ts';
import {builtinPolicy} from './reason.ts';

/**
 * The rules whose patterns match a request, before their conditions. Small and quick to come by, so that a request whose
 * body matters to no rule is decided without reading it.
 */
export interface Selection {
  readonly agent: Agent;
  readonly operation: Operation;
  readonly bundle: LoadedBundle;
  readonly obligations: Obligations;
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

const readVerbs: ReadonlySet<string> = new Set(['get', 'list', 'watch']);

const guard: RuleReference = Object.freeze({
  policy: builtinPolicy,
  rule: 'no-lockkeeper-writes',
  message: 'agents may not write objects of lockkeeper.dev nor their status',
});

const none: readonly LoadedRule[] = [];

/** Finds the rules whose patterns match, and whether the body is needed to go on. */
export function select(bundle: LoadedBundle, agent: Agent, operation: Operation): Selection {
  const {obligations, ...rules} = bundle.applicable(agent, operation);
  const deny = matching(rules.deny, operation);
  const requireApproval = matching(rules.requireApproval, operation);
  const allow = matching(rules.allow, operation);
  const dryRun = matching(rules.dryRun, operation);
  const body =
    requireApproval.length > 0 || obligations.auditLevel !== 'Metadata' || deny.some(readsBody) || allow.some(readsBody)
      ? 'Required'
      : dryRun.some(readsBody)
        ? 'Observed'
        : 'NotNeeded';
  return {
    agent,
    operation,
    bundle,
    obligations,
    builtin:
      operation.isResourceRequest && operation.apiGroup === 'lockkeeper.dev' && !readVerbs.has(operation.verb)
        ? guard
        : undefined,
    deny,
    requireApproval,
    allow,
    dryRun,
    body,
    needsBody: body !== 'NotNeeded',
  };
}

function matching(rules: readonly LoadedRule[], operation: Operation): readonly LoadedRule[] {
  let found: LoadedRule[] | undefined;
  for (const rule of rules) {
    if (rule.matches(operation)) {
      found ??= [];
      found.push(rule);
    }
  }
  return found ?? none;
}

function readsBody(rule: LoadedRule): boolean {
  return rule.readsBody;
}

/** What the rules say, with no power to permit anything. */
export type Verdict =
  | {readonly outcome: 'Denied'; readonly by: RuleReference}
  | {readonly outcome: 'DeniedByDefault'; readonly failed: readonly RuleReference[]}
  | {readonly outcome: 'NeedsApproval'; readonly required: readonly {rule: LoadedRule; reference: RuleReference}[]}
  | {readonly outcome: 'Allowed'; readonly by: RuleReference};

/** The evaluation of one request: its variables are made when the first condition needs them. */
export class Evaluation {
  readonly #selection: Selection;
  readonly #body: RequestBody;
  readonly #now: Date;
  #activation: Activation | undefined;

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
      const holds = this.#holds(rule);
      if (holds === true) {
        return {outcome: 'Allowed', by: rule.reference};
      }
      if (holds !== false) {
        failed.push({...rule.reference, error: holds.error});
      }
    }
    return {outcome: 'DeniedByDefault', failed};
  }

  /** What the matching rules of DryRun policies would have done; an Allow that failed would have done nothing. */
  dryRun(): readonly DryRunMatch[] {
    return this.#selection.dryRun.flatMap((rule) => {
      const {effect} = rule.rule;
      const reference = effect === 'Allow' ? this.#holding(rule) : this.#failingClosed(rule);
      return reference === undefined ? [] : [{...reference, effect}];
    });
  }

  #holding(rule: LoadedRule): RuleReference | undefined {
    return this.#holds(rule) === true ? rule.reference : undefined;
  }

  /** The rule's reference where it matches or may match: a condition that fails counts as one that holds. */
  #failingClosed(rule: LoadedRule): RuleReference | undefined {
    const holds = this.#holds(rule);
    if (holds === false) {
      return undefined;
    }
    return holds === true ? rule.reference : {...rule.reference, error: holds.error};
  }

  /**
   * All conditions together, as CEL's own `&&` and the matchConditions of Kubernetes (KEP-3716) have it: one that is
   * false decides, whatever failed beside it; else one that failed makes the whole fail.
   */
  #holds(rule: LoadedRule): boolean | {readonly error: string} {
    let failure: {readonly error: string} | undefined;
    for (const {name, expression} of rule.conditions) {
      const result = expression instanceof ExpressionError ? expression : expression.evaluate(this.#activate());
      if (result === false) {
        return false;
      }
      if (result !== true) {
        failure ??= {error: `condition ${JSON.stringify(name)} failed: ${result.message}`};
      }
    }
    return failure ?? true;
  }

  #activate(): Activation {
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
  }
}
