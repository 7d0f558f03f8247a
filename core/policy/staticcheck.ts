import type {CelFunc, CelType, celEnv, parse} from '@bufbuild/cel';

/** A node of a parsed expression. */
export type Expr = ReturnType<typeof parse>['expr'];

type FuncResolver = ReturnType<typeof celEnv>['funcs'];

/** What is known of a value before any request: its runtime type, and for the records which fields it has. */
export type StaticType =
  | {readonly kind: 'dyn'}
  | {readonly kind: 'value'; readonly name: string}
  | {readonly kind: 'list'; readonly element: StaticType}
  | {readonly kind: 'map'}
  | {readonly kind: 'record'; readonly name: string; readonly fields: Readonly<Record<string, StaticType>>};

export type Scope = Readonly<Record<string, StaticType>>;

export interface StaticCheck {
  readonly type: StaticType;
  /** Clear sentences, in the order of the expression. */
  readonly problems: readonly string[];
  /** Variables of the environment that the expression looks at. */
  readonly variables: ReadonlySet<string>;
  /** Constant arguments of matches(). */
  readonly patterns: ReadonlySet<string>;
}

export const dyn: StaticType = {kind: 'dyn'};
const bool = value('bool');
const anyMap: StaticType = {kind: 'map'};

export function value(name: string): StaticType {
  return {kind: 'value', name};
}

/**
 * Finds what can be known to fail before there is a request: names that do not exist, operands for which a function has
 * no overload, comparisons of types that are never equal. The library's own checker (0.6.1) knows constants and names
 * only. What is not known is `dyn` and left to the evaluation.
 */
export function checkStatically(expr: Expr, variables: Scope, functions: FuncResolver): StaticCheck {
  const checker = new Checker(variables, functions);
  const type = checker.typeOf(expr, {});
  return {type, problems: checker.problems, variables: checker.seenVariables, patterns: checker.patterns};
}

export function describeType(type: StaticType): string {
  switch (type.kind) {
    case 'value':
      return type.name;
    case 'record':
      return 'map';
    case 'dyn':
    case 'list':
    case 'map':
      return type.kind;
  }
}

class Checker {
  readonly problems: string[] = [];
  readonly seenVariables = new Set<string>();
  readonly patterns = new Set<string>();
  readonly #variables: Scope;
  readonly #functions: FuncResolver;

  constructor(variables: Scope, functions: FuncResolver) {
    this.#variables = variables;
    this.#functions = functions;
  }

  typeOf(expr: Expr | undefined, scope: Scope): StaticType {
    const kind = expr?.exprKind;
    switch (kind?.case) {
      case 'constExpr':
        return value(constantTypes[kind.value.constantKind.case ?? ''] ?? 'null_type');
      case 'identExpr':
        return this.#identifier(kind.value.name, scope);
      case 'selectExpr': {
        const type = this.#field(this.typeOf(kind.value.operand, scope), kind.value.field);
        return kind.value.testOnly ? bool : type;
      }
      case 'listExpr':
        return {kind: 'list', element: common(kind.value.elements.map((element) => this.typeOf(element, scope)))};
      case 'structExpr':
        return this.#struct(kind.value, scope);
      case 'comprehensionExpr':
        return this.#comprehension(kind.value, scope);
      case 'callExpr':
        return this.#call(kind.value, scope);
      default:
        return this.#problem('invalid expression');
    }
  }

  #problem(text: string): StaticType {
    this.problems.push(text);
    return dyn;
  }

  #identifier(name: string, scope: Scope): StaticType {
    if (Object.hasOwn(scope, name)) {
      return scope[name] ?? dyn;
    }
    if (Object.hasOwn(this.#variables, name)) {
      this.seenVariables.add(name);
      return this.#variables[name] ?? dyn;
    }
    if (typeNames.has(name)) {
      return value('type');
    }
    return this.#problem(`unknown variable ${name}; there are: ${Object.keys(this.#variables).join(', ')}`);
  }

  #field(operand: StaticType, field: string): StaticType {
    switch (operand.kind) {
      case 'record':
        return Object.hasOwn(operand.fields, field)
          ? (operand.fields[field] ?? dyn)
          : this.#problem(
              `${operand.name} has no field ${field}; it has: ${Object.keys(operand.fields).sort().join(', ')}`,
            );
      case 'map':
      case 'dyn':
        return dyn;
      case 'list':
      case 'value':
        return this.#problem(`${describeType(operand)} has no field ${field}`);
    }
  }

  #struct(struct: Extract<Expr['exprKind'], {case: 'structExpr'}>['value'], scope: Scope): StaticType {
    if (struct.messageName !== '') {
      return this.#problem(`message ${struct.messageName} is not available; use a map or a function`);
    }
    for (const entry of struct.entries) {
      if (entry.keyKind.case === 'mapKey') {
        this.typeOf(entry.keyKind.value, scope);
      }
      this.typeOf(entry.value, scope);
    }
    return anyMap;
  }

  #comprehension(fold: Extract<Expr['exprKind'], {case: 'comprehensionExpr'}>['value'], scope: Scope): StaticType {
    const range = this.typeOf(fold.iterRange, scope);
    if (range.kind === 'value') {
      this.#problem(`${describeType(range)} cannot be iterated over`);
    }
    const element = range.kind === 'list' ? range.element : range.kind === 'record' ? value('string') : dyn;
    const inside = {...scope, [fold.iterVar]: element, [fold.accuVar]: this.typeOf(fold.accuInit, scope)};
    this.typeOf(fold.loopCondition, inside);
    const step = this.typeOf(fold.loopStep, inside);
    return this.typeOf(fold.result, {...inside, [fold.accuVar]: step});
  }

  #call(call: Extract<Expr['exprKind'], {case: 'callExpr'}>['value'], scope: Scope): StaticType {
    const qualifier = qualifiedName(call.target);
    const qualified = qualifier === undefined ? undefined : this.#functions.find(`${qualifier}.${call.function}`);
    const target = qualified === undefined && call.target ? this.typeOf(call.target, scope) : undefined;
    const args = call.args.map((arg) => this.typeOf(arg, scope));
    switch (call.function) {
      case '_&&_':
      case '_||_':
        args.forEach((arg) => {
          this.#expectBool(arg, call.function.slice(1, -1));
        });
        return bool;
      case '@not_strictly_false':
        return bool;
      case '_?_:_':
        this.#expectBool(args[0] ?? dyn, '?:');
        return common(args.slice(1));
      case '_[_]':
        return this.#index(args[0] ?? dyn, call.args[1]);
      case '_==_':
      case '_!=_':
        this.#expectComparable(args[0] ?? dyn, args[1] ?? dyn);
        return bool;
      case 'matches': {
        const constant = call.args[call.args.length - 1]?.exprKind;
        if (constant?.case === 'constExpr' && constant.value.constantKind.case === 'stringValue') {
          this.patterns.add(constant.value.constantKind.value);
        }
      }
    }
    const overloads = qualified ?? this.#functions.find(call.function);
    return overloads === undefined
      ? this.#problem(`unknown function ${call.function}`)
      : this.#overload(call.function, [...overloads], target, args);
  }

  #overload(name: string, overloads: CelFunc[], target: StaticType | undefined, args: StaticType[]): StaticType {
    const matching = overloads.filter(
      (func) =>
        func.arguments.length === args.length &&
        (func.target === undefined) === (target === undefined) &&
        (func.target === undefined || target === undefined || accepts(func.target, target)) &&
        func.arguments.every((parameter, index) => accepts(parameter, args[index] ?? dyn)),
    );
    if (matching.length === 0) {
      const operands = args.map(describeType).join(', ');
      const receiver = target === undefined ? '' : `${describeType(target)}.`;
      const shownName = /\w{2,}/.test(name) ? name.replace('@', '') : name.replaceAll('_', '');
      return this.#problem(`no overload ${receiver}${shownName}(${operands})`);
    }
    return common(matching.map((func) => fromCelType(func.result)));
  }

  #index(operand: StaticType, index: Expr | undefined): StaticType {
    if (operand.kind === 'value') {
      return this.#problem(`${operand.name} cannot be indexed`);
    }
    const constant = index?.exprKind;
    if (
      operand.kind === 'record' &&
      constant?.case === 'constExpr' &&
      constant.value.constantKind.case === 'stringValue'
    ) {
      return this.#field(operand, constant.value.constantKind.value);
    }
    return operand.kind === 'list' ? operand.element : dyn;
  }

  #expectBool(type: StaticType, operator: string): void {
    if (type.kind !== 'dyn' && describeType(type) !== 'bool') {
      this.#problem(`${operator} takes bool, not ${describeType(type)}`);
    }
  }

  #expectComparable(left: StaticType, right: StaticType): void {
    const [a, b] = [describeType(left), describeType(right)];
    if (a !== b && a !== 'dyn' && b !== 'dyn' && !(numbers.has(a) && numbers.has(b))) {
      this.#problem(`${a} and ${b} are never equal`);
    }
  }
}

const constantTypes: Readonly<Record<string, string>> = {
  boolValue: 'bool',
  bytesValue: 'bytes',
  doubleValue: 'double',
  int64Value: 'int',
  stringValue: 'string',
  uint64Value: 'uint',
};

const numbers: ReadonlySet<string> = new Set(['int', 'uint', 'double']);

const typeNames: ReadonlySet<string> = new Set([
  ...['int', 'uint', 'double', 'bool', 'string', 'bytes', 'list', 'map', 'null_type', 'type'],
]);

/** `a.b.c` of a chain of plain selections, which may be the namespace of a function. */
function qualifiedName(expr: Expr | undefined): string | undefined {
  const kind = expr?.exprKind;
  switch (kind?.case) {
    case 'identExpr':
      return kind.value.name;
    case 'selectExpr': {
      const operand = qualifiedName(kind.value.operand);
      return operand === undefined || kind.value.testOnly ? undefined : `${operand}.${kind.value.field}`;
    }
    default:
      return undefined;
  }
}

function accepts(parameter: CelType, argument: StaticType): boolean {
  return parameter.name === 'dyn' || argument.kind === 'dyn' || parameter.name === describeType(argument);
}

function fromCelType(type: CelType): StaticType {
  switch (type.kind) {
    case 'list':
      return {kind: 'list', element: fromCelType(type.element)};
    case 'map':
      return anyMap;
    case 'scalar':
    case 'object':
      return type.name === 'dyn' ? dyn : value(type.name);
  }
}

/** The one type that all have, else dyn. */
function common(types: readonly StaticType[]): StaticType {
  const [first = dyn] = types;
  return types.every((type) => sameType(type, first)) ? first : dyn;
}

function sameType(a: StaticType, b: StaticType): boolean {
  return a.kind === 'list' && b.kind === 'list'
    ? sameType(a.element, b.element)
    : a.kind === b.kind && describeType(a) === describeType(b);
}
