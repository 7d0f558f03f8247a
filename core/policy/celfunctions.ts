import {
  type CelFunc,
  type CelInput,
  CelScalar,
  type CelValue,
  celEnv,
  celFunc,
  celList,
  celMethod,
  isCelError,
  isCelList,
  isCelMap,
  listType,
} from '@bufbuild/cel';
import {strings} from '@bufbuild/cel/ext';
import {RE2JS} from '@bufbuild/re2';
import type {Charge} from './celvalue.ts';

/** What an expression's loops call before each step; no expression can name it, since `@` is no part of a CEL name. */
export const stepFunction = '@step';

/** Compiling a regular expression or looking up a time zone, against the unit of `costLimit`. */
const setUpCost = 1000;
const charactersPerUnit = 8;

/** Constant patterns, compiled when the expression was. */
export type Patterns = Map<string, RE2JS>;

/**
 * The functions of CEL and its strings extension, each charging for what it is about to do. The library itself knows
 * no limit: without one `s.replace('', s)` on a large string holds the event loop for minutes.
 */
export function meteredFunctions(charge: Charge, patterns: Patterns): CelFunc[] {
  const standard = [...celEnv({funcs: strings}).funcs].filter((func) => !isConstantTime(func));
  return [
    ...standard.map((func) => metered(func, charge)),
    // A flat copy: the library nests a list for each step of map() and filter(), and reading the result then takes
    // quadratic time and a stack as deep as the list is long.
    celFunc('_+_', [LIST, LIST], LIST, (left, right) => {
      charge(left.size + right.size);
      return celList([...left, ...right] as CelInput[]);
    }),
    celMethod('matches', CelScalar.STRING, [CelScalar.STRING], CelScalar.BOOL, function (pattern) {
      charge(textCost(this) * (1 + pattern.length));
      return (patterns.get(pattern) ?? compileDynamic(pattern, charge)).test(this);
    }),
    celFunc(stepFunction, [CelScalar.INT, CelScalar.BOOL], CelScalar.BOOL, (units, proceed) => {
      charge(Number(units));
      return proceed;
    }),
  ];
}

/** @throws where the text is no RE2 pattern. */
export function compilePatternText(text: string): RE2JS {
  return RE2JS.compile(text);
}

const LIST = listType(CelScalar.DYN);

function compileDynamic(pattern: string, charge: Charge): RE2JS {
  charge(setUpCost + pattern.length * 10);
  return compilePatternText(pattern);
}

function isConstantTime(func: CelFunc): boolean {
  const operands = func.target === undefined ? func.arguments : [func.target, ...func.arguments];
  return operands.every(
    (type) => type === CelScalar.INT || type === CelScalar.UINT || type === CelScalar.DOUBLE || type === CelScalar.BOOL,
  );
}

function metered(func: CelFunc, charge: Charge): CelFunc {
  function call(this: CelValue | undefined, ...args: CelValue[]): CelInput {
    chargeFor(func.name, this, args, charge);
    const result = func.call(0, this, args);
    if (result === undefined || isCelError(result)) {
      throw result ?? new TypeError(`found no matching overload for '${func.name}'`);
    }
    return result as CelInput;
  }
  // celFunc and celMethod work the parameter types of `call` out from literal types, which a function that is
  // read from the library has not.
  return func.target === undefined
    ? celFunc(func.name, func.arguments as never, func.result, call as never)
    : celMethod(func.name, func.target, func.arguments as never, func.result, call as never);
}

function chargeFor(name: string, target: CelValue | undefined, args: readonly CelValue[], charge: Charge): void {
  switch (name) {
    case '_==_':
    case '_!=_':
    case '@in':
      // Both sides are walked at most to the end of the smaller one; the whole of both is charged.
      for (const arg of args) {
        chargeDeep(arg, charge);
      }
      return;
    case 'replace':
      charge(replaceCost(target, args));
      return;
    case 'join':
    case 'format':
      chargeDeep(target, charge);
      for (const arg of args) {
        chargeDeep(arg, charge);
      }
      return;
    default:
      charge(shallowCost(target) + args.reduce<number>((sum, arg) => sum + shallowCost(arg), 0));
      if (name.startsWith('get') && args.length === 1) {
        charge(setUpCost);
      }
  }
}

function chargeDeep(value: CelValue | undefined, charge: Charge): void {
  charge(shallowCost(value));
  if (isCelList(value)) {
    for (const element of value) {
      chargeDeep(element, charge);
    }
  } else if (isCelMap(value)) {
    for (const [key, member] of value) {
      charge(shallowCost(key));
      chargeDeep(member, charge);
    }
  }
}

function shallowCost(value: CelValue | undefined): number {
  switch (typeof value) {
    case 'string':
      return textCost(value);
    case 'object':
      return value instanceof Uint8Array ? textCost(value) : 1;
    default:
      return 1;
  }
}

function textCost(value: {readonly length: number}): number {
  return 1 + Math.floor(value.length / charactersPerUnit);
}

/** Each replacement copies the whole text, which grows by the replacement. */
function replaceCost(target: CelValue | undefined, args: readonly CelValue[]): number {
  const [text, sought, replacement] = [target, ...args].map((value) => (typeof value === 'string' ? value : ''));
  const length = text?.length ?? 0;
  const most = Math.ceil((length + 1) / Math.max(1, sought?.length ?? 0));
  const count = typeof args[2] === 'bigint' ? Math.min(Math.max(0, Number(args[2])), most) : most;
  return 1 + Math.ceil((length + count * (length + count * (replacement?.length ?? 0))) / (charactersPerUnit * 8));
}
