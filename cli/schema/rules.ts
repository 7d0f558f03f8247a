import {type CelInput, celEnv, parse, plan} from '@bufbuild/cel';
import {celFromJSON} from '../../core/policy/celvalue.ts';
import {isObject, type Path, type Problem, type Rule, type Schema} from './schema.ts';

const environment = celEnv({});

/** These are checks of one file at hand, by its author: nobody bounds what they cost. */
const unbounded = (): void => {};

/** Checks the conditions in CEL that the schema states, of a value that has its form. */
export function checkRules(schema: Schema, value: unknown, path: Path): Problem[] {
  const own = (schema['x-kubernetes-validations'] ?? []).flatMap((rule) => checkRule(rule, schema, value, path));
  if (own.length > 0) return own;
  if (Array.isArray(value)) {
    const {items = {}} = schema;
    return value.flatMap((item, index) => checkRules(items, item, [...path, index]));
  }
  if (!isObject(value)) return [];
  return Object.entries(value).flatMap(([name, member]) => {
    const property = schema.properties?.[name] ?? schema.additionalProperties;
    return property === undefined ? [] : checkRules(property, member, [...path, name]);
  });
}

/** One that fails other than by being false is left to the API server, whose CEL knows more functions. */
function checkRule(
  {rule, message, messageExpression, fieldPath}: Rule,
  schema: Schema,
  value: unknown,
  path: Path,
): Problem[] {
  const self = withDefaults(schema, value);
  if (evaluate(rule, self) !== false) return [];
  const said = messageExpression === undefined ? undefined : evaluate(messageExpression, self);
  const steps = fieldPath?.match(/[^.]+/g) ?? [];
  return [{path: [...path, ...steps], message: typeof said === 'string' ? said : (message ?? `must meet ${rule}`)}];
}

function evaluate(expression: string, self: unknown): unknown {
  try {
    return plan(environment, parse(expression).expr)({self: celFromJSON(self, unbounded) as CelInput});
  } catch {
    return undefined;
  }
}

/** The API server fills in defaults before it evaluates rules. */
function withDefaults(schema: Schema, value: unknown): unknown {
  if (Array.isArray(value)) return value.map((item) => withDefaults(schema.items ?? {}, item));
  if (!isObject(value) || schema.properties === undefined) return value;
  const filled: Record<string, unknown> = {};
  for (const [name, property] of Object.entries(schema.properties)) {
    const member = Object.hasOwn(value, name) ? value[name] : property.default;
    if (member !== undefined) filled[name] = withDefaults(property, member);
  }
  return {...value, ...filled};
}
