import {type CelInput, type CelMap, type CelValue, celError, celList, celMap} from '@bufbuild/cel';
import {PartialObject} from '../request/partial.ts';

/** Takes units of cost before work is done, and throws when there are none left. */
export type Charge = (units: number) => void;

/** JSON.parse accepts nesting of any depth; recursing into it must not. */
const maximumListDepth = 64;

/**
 * Decoded JSON as a CEL value. Numbers without a fraction become int (1 and 1.0 are the same in JSON), as do bigints;
 * all others become double. Objects are converted as they are read, so that a large body costs only what an expression
 * looks at.
 */
export function celFromJSON(value: unknown, charge: Charge, listDepth = 0): CelValue {
  switch (typeof value) {
    case 'string':
    case 'boolean':
    case 'bigint':
      return value;
    case 'number':
      return Number.isSafeInteger(value) ? BigInt(value) : value;
    case 'object':
      if (value === null) {
        return null;
      }
      if (value instanceof PartialObject) {
        return map(new PartialMap(value, charge));
      }
      return Array.isArray(value) ? list(value, charge, listDepth) : map(new JSONMap(value as JSONObject, charge));
    default:
      throw new TypeError(`${typeof value} is not JSON`);
  }
}

type JSONObject = Readonly<Record<string, unknown>>;

function list(values: readonly unknown[], charge: Charge, depth: number): CelValue {
  if (depth >= maximumListDepth) {
    throw new RangeError(`lists nested deeper than ${maximumListDepth}`);
  }
  charge(values.length);
  return celList(values.map((value) => celFromJSON(value, charge, depth + 1)));
}

function map(source: JSONMap): CelMap {
  const result = celMap(source);
  // The library's own `has` takes a member that is null for an absent one. In a merge patch null deletes, and a rule
  // that says has(patch.metadata.finalizers) must see it.
  result.has = (key) => typeof key === 'string' && source.has(key);
  return result;
}

/** The view of a JSON object that `celMap` reads through. */
class JSONMap implements ReadonlyMap<string, CelInput> {
  readonly #object: JSONObject;
  readonly #charge: Charge;
  #keys: readonly string[] | undefined;

  constructor(object: JSONObject, charge: Charge) {
    this.#object = object;
    this.#charge = charge;
  }

  get size(): number {
    return this.#ownKeys().length;
  }

  get(key: unknown): CelInput | undefined {
    return typeof key === 'string' && Object.hasOwn(this.#object, key)
      ? celFromJSON(this.#object[key], this.#charge)
      : undefined;
  }

  has(key: string): boolean {
    return Object.hasOwn(this.#object, key);
  }

  keys(): MapIterator<string> {
    this.#charge(this.size);
    return this.#ownKeys().values();
  }

  *entries(): MapIterator<[string, CelInput]> {
    for (const key of this.keys()) {
      yield [key, celFromJSON(this.#object[key], this.#charge)];
    }
  }

  *values(): MapIterator<CelInput> {
    for (const [, value] of this.entries()) {
      yield value;
    }
  }

  [Symbol.iterator](): MapIterator<[string, CelInput]> {
    return this.entries();
  }

  forEach(callback: (value: CelInput, key: string, map: ReadonlyMap<string, CelInput>) => void): void {
    for (const [key, value] of this.entries()) {
      callback(value, key, this);
    }
  }

  #ownKeys(): readonly string[] {
    if (this.#keys === undefined) {
      this.#keys = Object.keys(this.#object);
      this.#charge(this.#keys.length);
    }
    return this.#keys;
  }
}

/** Fails where it is asked for more than its known members. */
class PartialMap extends JSONMap {
  readonly #object: PartialObject;

  constructor(object: PartialObject, charge: Charge) {
    super(object.members, charge);
    this.#object = object;
  }

  override get size(): number {
    throw this.#unknown();
  }

  override keys(): MapIterator<string> {
    throw this.#unknown();
  }

  override get(key: unknown): CelInput | undefined {
    if (!this.#object.known.has(key as string)) {
      throw this.#unknown();
    }
    return super.get(key);
  }

  override has(key: string): boolean {
    if (!this.#object.known.has(key)) {
      throw this.#unknown();
    }
    return super.has(key);
  }

  #unknown(): Error {
    return new Error(`object: ${this.#object.reason}`);
  }
}

/** A variable whose value could not be had: whatever looks at it fails. */
export function celUnavailable(reason: string): CelInput {
  return celError(reason) as unknown as CelInput;
}
