/**
 * The part of a structural schema (OpenAPI v3 as CustomResourceDefinitions have it) that is checked before an API
 * server is asked. A schema without a type takes anything.
 */
export interface Schema {
  readonly type?: 'object' | 'array' | 'string' | 'integer' | 'number' | 'boolean';
  readonly format?: string;
  readonly pattern?: string;
  readonly enum?: readonly string[];
  readonly required?: readonly string[];
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  /** No other member may be there. Without it an object may hold anything. */
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: Schema;
  readonly items?: Schema;
  readonly default?: unknown;
  readonly 'x-kubernetes-list-type'?: 'atomic' | 'set' | 'map';
  readonly 'x-kubernetes-list-map-keys'?: readonly string[];
  readonly 'x-kubernetes-validations'?: readonly Rule[];
}

/** A condition in CEL on `self`. */
export interface Rule {
  readonly rule: string;
  readonly message?: string;
  readonly messageExpression?: string;
  /** Where the fault is, from the place of the rule on, such as `.approval`. */
  readonly fieldPath?: string;
}

export type Path = readonly (string | number)[];

/** `spec.rules[0].effect`; a name that is no plain word in quotes. */
export function pathText(path: Path): string {
  return path
    .map((step, index) => {
      if (typeof step === 'number') return `[${step}]`;
      if (!/^[A-Za-z_][A-Za-z0-9_-]*$/.test(step)) return `[${JSON.stringify(step)}]`;
      return index === 0 ? step : `.${step}`;
    })
    .join('');
}

/** The path with which a problem of the compiler's begins, such as `spec.rules[0].effect: must be ...`. */
export function pathBefore(problem: string): Path {
  const text = problem.slice(0, Math.max(0, problem.indexOf(': ')));
  return [...text.matchAll(/[^.[\]]+/g)].map(([step]) => (/^[0-9]+$/.test(step) ? Number(step) : step));
}

/** What is wrong at one place, and what would be right. */
export interface Problem {
  readonly path: Path;
  readonly message: string;
}

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
