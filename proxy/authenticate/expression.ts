import {type CelInput, celEnv, isCelError, isCelList, parse, plan} from '@bufbuild/cel';
import {strings} from '@bufbuild/cel/ext';
import {celFromJSON} from '../../core/policy/celvalue.ts';
import {checkStatically, describeType, type Expr, type Scope, value} from '../../core/policy/staticcheck.ts';

/** What a rule or mapping is allowed to look at. */
export type Variable = 'claims' | 'user';

/** A compiled CEL expression of the configuration. */
export interface Expression {
  readonly source: string;
  /** Whether it selects `claims.{name}`. */
  selectsClaim(name: string): boolean;
  /**
   * Evaluates it over decoded JSON.
   *
   * @throws {ExpressionError} where the evaluation fails, a claim that is not there included
   */
  evaluate(input: unknown): unknown;
}

export class ExpressionError extends Error {
  override readonly name = 'ExpressionError';
  readonly code: 'Invalid' | 'Failed';

  constructor(code: ExpressionError['code'], message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

const scopes: Readonly<Record<Variable, Scope>> = {
  claims: {claims: {kind: 'map'}},
  user: {
    user: {
      kind: 'record',
      name: 'user',
      fields: {
        username: value('string'),
        uid: value('string'),
        groups: {kind: 'list', element: value('string')},
        extra: {kind: 'map'},
      },
    },
  },
};

const environment = celEnv({funcs: [...strings]});

/**
 * Compiles an expression over `claims` or `user`, as kube-apiserver compiles those of an AuthenticationConfiguration.
 *
 * @param types CEL types of which it must give one, where its type is known beforehand
 * @throws {ExpressionError}
 */
export function compileExpression(source: string, variable: Variable, types: readonly string[]): Expression {
  let expr: Expr;
  try {
    ({expr} = parse(source));
  } catch (cause) {
    throw new ExpressionError('Invalid', sentence(cause), {cause});
  }
  const {type, problems} = checkStatically(expr, scopes[variable], environment.funcs);
  if (problems.length > 0) throw new ExpressionError('Invalid', problems.join('; '));
  if (type.kind !== 'dyn' && !types.includes(describeType(type))) {
    throw new ExpressionError('Invalid', `must give ${types.join(' or ')}, gives ${describeType(type)}`);
  }
  const run = plan(environment, expr);
  return {
    source,
    selectsClaim: (name) => selects(expr, name),
    evaluate: (input) => {
      let result: unknown;
      try {
        // Without a prototype: the library looks variables up with [].
        const variables = Object.create(null) as Record<string, CelInput>;
        variables[variable] = celFromJSON(input, () => {}) as CelInput;
        result = run(variables);
      } catch (cause) {
        throw new ExpressionError('Failed', sentence(cause), {cause});
      }
      if (isCelError(result)) throw new ExpressionError('Failed', sentence(result), {cause: result});
      return isCelList(result) ? [...result] : result;
    },
  };
}

function selects(expr: Expr | undefined, name: string): boolean {
  const kind = expr?.exprKind;
  switch (kind?.case) {
    case 'selectExpr': {
      const operand = kind.value.operand?.exprKind;
      if (kind.value.field === name && operand?.case === 'identExpr' && operand.value.name === 'claims') return true;
      return selects(kind.value.operand, name);
    }
    case 'callExpr':
      return selects(kind.value.target, name) || kind.value.args.some((arg) => selects(arg, name));
    case 'listExpr':
      return kind.value.elements.some((element) => selects(element, name));
    case 'structExpr':
      return kind.value.entries.some(
        ({keyKind, value: member}) =>
          selects(member, name) || (keyKind.case === 'mapKey' && selects(keyKind.value, name)),
      );
    case 'comprehensionExpr': {
      const {iterRange, accuInit, loopCondition, loopStep, result} = kind.value;
      return [iterRange, accuInit, loopCondition, loopStep, result].some((part) => selects(part, name));
    }
    default:
      return false;
  }
}

function sentence(error: unknown): string {
  const message = (error instanceof Error ? error.message : String(error)).replace('<input>:', '');
  return message.length > 256 ? `${message.slice(0, 255)}…` : message;
}
