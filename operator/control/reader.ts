import {Refusal} from './refusal.ts';

/**
 * Turns an unknown JSON value into a typed one, or refuses with the name of the field at fault.
 * A field that the type does not have is refused too: what the sender meant by it would otherwise be lost unseen.
 */
export type Reader<T> = (value: unknown, field: string) => T;

type Read<R> = R extends Reader<infer T> ? T : never;
type Readers = Readonly<Record<string, Reader<unknown>>>;
type ObjectOf<R extends Readers, O extends Readers> = {-readonly [K in keyof R]: Read<R[K]>} & {
  -readonly [K in keyof O]?: Read<O[K]>;
};

/** A JSON object with exactly these fields. */
export function object<R extends Readers, O extends Readers = Record<never, never>>(
  required: R,
  optional?: O,
): Reader<ObjectOf<R, O>> {
  const known = new Map([...Object.entries(required), ...Object.entries(optional ?? {})]);
  return (value, field) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw invalid(field, 'must be a JSON object');
    }
    for (const key of Object.keys(value)) {
      if (!known.has(key)) {
        throw invalid(join(field, key), `is unknown; known are ${[...known.keys()].join(', ')}`);
      }
    }
    const given = new Map<string, unknown>(Object.entries(value));
    const result: Record<string, unknown> = {};
    for (const [key, read] of known) {
      if (given.has(key)) {
        result[key] = read(given.get(key), join(field, key));
      } else if (Object.hasOwn(required, key)) {
        throw invalid(join(field, key), 'is required');
      }
    }
    return result as ObjectOf<R, O>;
  };
}

/** A string, where given one of the pattern; `shape` says in words what the pattern wants. */
export function text(pattern?: RegExp, shape?: string): Reader<string> {
  return (value, field) => {
    if (typeof value !== 'string') {
      throw invalid(field, 'must be a string');
    }
    if (pattern && !pattern.test(value)) {
      throw invalid(field, `must be ${shape}`);
    }
    return value;
  };
}

/** One of a few strings. */
export function oneOf<const T extends string>(...choices: readonly T[]): Reader<T> {
  return (value, field) => {
    const choice = choices.find((candidate) => candidate === value);
    if (choice === undefined) {
      throw invalid(field, `must be one of ${choices.join(', ')}`);
    }
    return choice;
  };
}

export const flag: Reader<boolean> = (value, field) => {
  if (typeof value !== 'boolean') throw invalid(field, 'must be true or false');
  return value;
};

/** A whole number of at least `minimum` that JSON carries exactly. */
export function wholeNumber(minimum: number): Reader<number> {
  return (value, field) => {
    if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < minimum) {
      throw invalid(field, `must be a whole number from ${minimum} to ${Number.MAX_SAFE_INTEGER}`);
    }
    return value;
  };
}

/** An array, every item read alike. */
export function list<T>(item: Reader<T>): Reader<T[]> {
  return (value, field) => {
    if (!Array.isArray(value)) {
      throw invalid(field, 'must be an array');
    }
    return value.map((element, index) => item(element, `${field}[${index}]`));
  };
}

function join(field: string, key: string): string {
  return field === '' ? key : `${field}.${key}`;
}

function invalid(field: string, what: string): Refusal {
  return new Refusal('FieldInvalid', 400, `${field || 'The body'} ${what}.`, {field});
}
