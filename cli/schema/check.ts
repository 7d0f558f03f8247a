import {checkRules} from './rules.ts';
import {isObject, type Path, type Problem, type Schema} from './schema.ts';

/** Checks decoded YAML or JSON as the API server checks an object against its schema, unknown members included. */
export function check(schema: Schema, value: unknown, path: Path = []): Problem[] {
  const problems = checkValue(schema, value, path);
  // Rules look into what the schema promises, so that has to hold.
  return problems.length > 0 ? problems : checkRules(schema, value, path);
}

function checkValue(schema: Schema, value: unknown, path: Path): Problem[] {
  const problem = (message: string): Problem[] => [{path, message}];
  const {type} = schema;
  if (type === undefined) return [];
  switch (type) {
    case 'object':
      return isObject(value) ? checkObject(schema, value, path) : problem(`must be an object, not ${shown(value)}`);
    case 'array':
      return Array.isArray(value) ? checkList(schema, value, path) : problem(`must be a list, not ${shown(value)}`);
    case 'string':
      return typeof value === 'string'
        ? checkText(schema, value, path)
        : problem(`must be a string, not ${shown(value)}`);
    case 'boolean':
      return typeof value === 'boolean' ? [] : problem(`must be true or false, not ${shown(value)}`);
    case 'integer':
      return Number.isInteger(value) || typeof value === 'bigint'
        ? checkNumber(schema, value as number, path)
        : problem(`must be a whole number, not ${shown(value)}`);
    case 'number':
      return typeof value === 'number' || typeof value === 'bigint'
        ? checkNumber(schema, value as number, path)
        : problem(`must be a number, not ${shown(value)}`);
  }
}

function checkObject(schema: Schema, value: Readonly<Record<string, unknown>>, path: Path): Problem[] {
  const {properties, additionalProperties, required = []} = schema;
  const missing = required
    .filter((name) => !Object.hasOwn(value, name))
    .map((name) => ({path: [...path, name], message: 'is missing'}));
  const found = Object.entries(value).flatMap(([name, member]) => {
    const own = properties !== undefined && Object.hasOwn(properties, name) ? properties[name] : additionalProperties;
    if (own !== undefined) return checkValue(own, member, [...path, name]);
    if (properties === undefined) return [];
    return [{path: [...path, name], message: `is no field; there are ${Object.keys(properties).join(', ')}`}];
  });
  // A name that is misspelt is both: what it is says more than what it is not.
  return [...found, ...missing];
}

function checkList(schema: Schema, value: readonly unknown[], path: Path): Problem[] {
  const {minItems = 0, maxItems = Number.POSITIVE_INFINITY, items = {}} = schema;
  if (value.length < minItems) return [{path, message: `must have at least ${counted(minItems, 'element')}`}];
  if (value.length > maxItems) return [{path, message: `must have at most ${counted(maxItems, 'element')}`}];
  const found = value.flatMap((item, index) => checkValue(items, item, [...path, index]));
  return found.length > 0 ? found : checkUnique(schema, value, path);
}

function checkUnique(schema: Schema, value: readonly unknown[], path: Path): Problem[] {
  const keys = schema['x-kubernetes-list-map-keys'] ?? [];
  const type = schema['x-kubernetes-list-type'];
  if (type !== 'set' && type !== 'map') return [];
  const seen = new Map<string, number>();
  return value.flatMap((item, index) => {
    const key = type === 'set' ? item : keys.map((name) => (item as Record<string, unknown>)[name]);
    const text = String(key);
    const first = seen.get(text);
    seen.set(text, first ?? index);
    if (first === undefined) return [];
    const where = type === 'set' ? [...path, index] : [...path, index, ...keys.slice(0, 1)];
    return [{path: where, message: `${JSON.stringify(text)} is there already, at [${first}]`}];
  });
}

function checkText(schema: Schema, value: string, path: Path): Problem[] {
  const {minLength = 0, maxLength = Number.POSITIVE_INFINITY, pattern} = schema;
  const problem = (message: string): Problem[] => [{path, message}];
  if (schema.enum !== undefined && !schema.enum.includes(value)) {
    return problem(`must be ${oneOf(schema.enum)}, not ${shown(value)}`);
  }
  const {length} = [...value];
  if (length < minLength)
    return problem(length === 0 ? 'must not be empty' : `must have at least ${minLength} characters`);
  if (length > maxLength) return problem(`must have at most ${maxLength} characters`);
  if (pattern !== undefined && !new RegExp(pattern, 'u').test(value)) {
    return problem(`must match ${pattern}, not ${shown(value)}`);
  }
  return [];
}

function checkNumber(schema: Schema, value: number | bigint, path: Path): Problem[] {
  const {minimum, maximum} = schema;
  if (minimum !== undefined && value < minimum) return [{path, message: `must be at least ${minimum}, not ${value}`}];
  if (maximum !== undefined && value > maximum) return [{path, message: `must be at most ${maximum}, not ${value}`}];
  return [];
}

function oneOf(choices: readonly string[]): string {
  const last = choices.at(-1) ?? '';
  return choices.length === 1 ? last : `${choices.slice(0, -1).join(', ')} or ${last}`;
}

function counted(count: number, what: string): string {
  return count === 1 ? `1 ${what}` : `${count} ${what}s`;
}

/** A value for a message: what it is, and what of it is short. */
function shown(value: unknown): string {
  if (value === null) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'an object';
  return typeof value === 'string' ? JSON.stringify(value.slice(0, 64)) : String(value);
}
