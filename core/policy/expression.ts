import {
  type CelInput,
  type CelMap,
  type CelValue,
  celEnv,
  celError,
  celList,
  celMap,
  isCelError,
  parse,
  plan,
} from '@bufbuild/cel';
import type {Agent} from '../request/agent.ts';
import type {Operation} from '../request/operation.ts';
import {PartialObject} from '../request/partial.ts';
import {Budget} from './budget.ts';
import {compilePatternText, meteredFunctions, type Patterns} from './celfunctions.ts';
import {celFromJSON, celUnavailable} from './celvalue.ts';
import {meterSteps} from './loopcost.ts';
import {checkStatically, describeType, dyn, type Scope, type StaticType, value} from './staticcheck.ts';

/** In UTF-16 code units, as the CRD counts. Bounds the parser, which recurses. */
export const maximumExpressionLength = 4096;

/** Why an expression gave no bool, at compile or at run time. */
export class ExpressionError extends Error {
  override readonly name = 'ExpressionError';
  /** `Unavailable`: what it looks at is not known of the request. */
  readonly code: 'Invalid' | 'Failed' | 'Unavailable' | 'NotBool' | 'OverCost';

  constructor(code: ExpressionError['code'], message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** What a request gives its expressions; `object` and `patch` are undefined where the body could not be read. */
export interface ExpressionInput {
  readonly operation: Operation;
  readonly agent: Agent;
  readonly object: unknown;
  readonly patch: unknown;
  readonly now: Date;
  /** Fields of `request` that are not known: an expression that needs one fails. */
  readonly unknown?: {readonly fields: ReadonlySet<string>; readonly reason: string};
}

/** The variables of one request, converted once for all expressions, and what these may still cost. */
export interface Activation {
  readonly variables: Record<string, CelInput>;
  readonly budget: Budget;
}

export interface Expression {
  /** Looks at `object` or `patch`, so that the body must be there. */
  readonly readsBody: boolean;
  /** Gives an error rather than throwing it: failing is an ordinary outcome, and each effect treats it in its own way. */
  evaluate(activation: Activation): boolean | ExpressionError;
}

const string = value('string');
const strings: StaticType = {kind: 'list', element: string};

const requestFields = {
  verb: string,
  apiGroup: string,
  apiVersion: string,
  resource: string,
  subresource: string,
  namespace: string,
  name: string,
  path: string,
  query: string,
  fieldSelector: string,
  labelSelector: string,
  dryRun: value('bool'),
  command: strings,
  container: string,
  stdin: value('bool'),
  tty: value('bool'),
  userAgent: string,
  sourceIP: string,
  isResourceRequest: value('bool'),
} as const satisfies Readonly<Partial<Record<keyof Operation, StaticType>>>;

const agentFields = {
  username: string,
  uid: string,
  groups: strings,
  extra: {kind: 'map'},
  issuer: string,
  claims: {kind: 'map'},
} as const satisfies Readonly<Partial<Record<keyof Agent, StaticType>>>;

const variables: Scope = {
  request: {kind: 'record', name: 'request', fields: requestFields},
  agent: {kind: 'record', name: 'agent', fields: agentFields},
  object: dyn,
  patch: dyn,
  now: value('google.protobuf.Timestamp'),
};

/**
 * CEL as policy sees it: the language of cel-spec with the strings extension, the variables `request`, `agent`, `object`,
 * `patch` and `now`, and a bound on what an evaluation may cost. Made once for each bundle; evaluation is synchronous.
 */
export class ExpressionEnvironment {
  readonly #patterns: Patterns = new Map();
  readonly #charge = (units: number): void => this.#budget.charge(units);
  readonly #env = celEnv({funcs: meteredFunctions(this.#charge, this.#patterns)});
  readonly #compiled = new Map<string, Expression | ExpressionError>();
  readonly #agents = new WeakMap<Agent, CelMap>();
  #budget = new Budget();

  /** The same text is compiled once. */
  compile(source: string): Expression | ExpressionError {
    let compiled = this.#compiled.get(source);
    if (compiled === undefined) {
      compiled = this.#compile(source);
      this.#compiled.set(source, compiled);
    }
    return compiled;
  }

  activate(input: ExpressionInput): Activation {
    const budget = new Budget();
    budget.begin();
    this.#budget = budget;
    const milliseconds = input.now.getTime();
    const seconds = Math.floor(milliseconds / 1000);
    return {
      budget,
      // Without a prototype: the library looks variables up with [].
      variables: Object.assign(Object.create(null) as Record<string, CelInput>, {
        request: requestValue(input.operation, input.unknown),
        agent: this.#agentValue(input.agent),
        object: this.#body('object', input.object),
        patch: this.#body('patch', input.patch),
        now: {
          $typeName: 'google.protobuf.Timestamp',
          seconds: BigInt(seconds),
          nanos: (milliseconds - seconds * 1000) * 1_000_000,
        } as CelInput,
      }),
    };
  }

  #compile(source: string): Expression | ExpressionError {
    if (source.length > maximumExpressionLength) {
      return new ExpressionError('Invalid', `longer than ${maximumExpressionLength} characters`);
    }
    try {
      const {expr} = parse(source);
      const check = checkStatically(expr, variables, this.#env.funcs);
      const problems = [...check.problems];
      if (problems.length === 0 && check.type.kind !== 'dyn' && describeType(check.type) !== 'bool') {
        problems.push(`must give bool, gives ${describeType(check.type)}`);
      }
      if (problems.length > 0) {
        return new ExpressionError('Invalid', shortened(problems.join('; '), 1024));
      }
      for (const pattern of check.patterns) {
        this.#patterns.set(pattern, compilePatternText(pattern));
      }
      const cost = meterSteps(expr);
      const evaluate = plan(this.#env, expr);
      return {
        readsBody: check.variables.has('object') || check.variables.has('patch'),
        evaluate: (activation) => this.#evaluate(evaluate, cost, activation),
      };
    } catch (error) {
      return new ExpressionError('Invalid', compileMessage(error), {cause: error});
    }
  }

  #evaluate(
    evaluate: (variables: Record<string, CelInput>) => unknown,
    cost: number,
    {variables, budget}: Activation,
  ): boolean | ExpressionError {
    this.#budget = budget;
    budget.begin();
    try {
      budget.charge(cost);
      const result = evaluate(variables);
      // `a || b` drops the error of a where b is true; cost that ran out is an error whatever came of it.
      if (budget.isExhausted) {
        return new ExpressionError('OverCost', 'cost limit exceeded');
      }
      if (typeof result === 'boolean') {
        return result;
      }
      return isCelError(result)
        ? runtimeError(result)
        : new ExpressionError('NotBool', 'must give bool, gave another type');
    } catch (error) {
      return budget.isExhausted
        ? new ExpressionError('OverCost', 'cost limit exceeded', {cause: error})
        : runtimeError(error);
    }
  }

  #agentValue(agent: Agent): CelMap {
    let converted = this.#agents.get(agent);
    if (converted === undefined) {
      converted = celMap(
        new Map<string, CelInput>([
          ['username', agent.username],
          ['uid', agent.uid],
          ['groups', celList(agent.groups)],
          ['extra', celFromJSON(agent.extra, this.#charge) as CelInput],
          ['issuer', agent.issuer],
          ['claims', celFromJSON(agent.claims, this.#charge) as CelInput],
        ] satisfies [keyof typeof agentFields, CelInput][]),
      );
      this.#agents.set(agent, converted);
    }
    return converted;
  }

  #body(name: string, body: unknown): CelInput {
    if (body === undefined) {
      return celUnavailable(`${name}: the request has no body that could be read`);
    }
    if (body instanceof PartialObject && body.known.size === 0) {
      return celUnavailable(`${name}: ${body.reason}`);
    }
    try {
      return celFromJSON(body, this.#charge) as CelInput;
    } catch (error) {
      return celUnavailable(`${name}: ${runtimeMessage(error)}`);
    }
  }
}

function requestValue(operation: Operation, unknown: ExpressionInput['unknown']): CelMap {
  const fields = new Map<string, CelInput>();
  for (const field of Object.keys(requestFields) as (keyof typeof requestFields)[]) {
    const member = operation[field];
    fields.set(field, typeof member === 'object' ? celList(member) : member);
  }
  const value = celMap(fields);
  if (unknown !== undefined) {
    const get = value.get.bind(value);
    // The library takes errors where it reads a member, though its types do not say so.
    value.get = (key) =>
      unknown.fields.has(key as string)
        ? (celError(`request.${key}: ${unknown.reason}`) as unknown as CelValue)
        : get(key);
  }
  return value;
}

/** What the parser or the check says of a policy's own text. */
function compileMessage(error: unknown): string {
  return shortened(messageOf(error).replace(/^<input>:/, ''), 1024);
}

/** What the library says of values in general and of none in particular. */
const namesNoValue = new RegExp(
  [
    '^(?:field not found|found no matching overload|type mismatch|unresolved attribute|unsupported key type)',
    '^(?:int|uint) (?:overflow|divide by zero|modulus by zero)',
    '^(?:index .* out of bounds|lists nested deeper|cost limit exceeded)',
  ].join('|'),
);

/** What `celUnavailable` and fields that are not known say. */
const unavailable = /^(?:object|patch|request\.\w+): /;

function runtimeError(error: unknown): ExpressionError {
  const code = unavailable.test(messageOf(error)) ? 'Unavailable' : 'Failed';
  return new ExpressionError(code, runtimeMessage(error), {cause: error});
}

/**
 * Why an evaluation failed, for the agent and the record. A conversion that fails quotes its operand, which may come
 * from a Secret's body, and records at level Metadata hold nothing of a body.
 */
function runtimeMessage(error: unknown): string {
  const message = messageOf(error);
  return namesNoValue.test(message) || unavailable.test(message)
    ? shortened(message.replaceAll(/\d(?:[ -]?\d){11,}/g, '***'), 256)
    : 'a function does not take the value that it was given';
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function shortened(text: string, maximumLength: number): string {
  return text.length > maximumLength ? `${text.slice(0, maximumLength - 1)}…` : text;
}
