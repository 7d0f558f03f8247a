import {BinaryReader, WireType} from '@bufbuild/protobuf/wire';

/** Fields that hold bytes, by number; each with its values in order. */
export type Fields = ReadonlyMap<number, readonly Uint8Array[]>;

/** Of a message: what is read of it holds few, and each costs more memory than the two bytes that make it. */
const maximumValues = 10_000;

const magic = Buffer.from('k8s\0');

/**
 * The fields of `runtime.Unknown`, in which Kubernetes wraps every object: 1 its type, 2 the object.
 *
 * @returns undefined where the bytes begin otherwise
 * @throws where what follows is no message
 */
export function unwrapped(bytes: Uint8Array): Fields | undefined {
  const isWrapped = bytes.length >= magic.length && magic.equals(bytes.subarray(0, magic.length));
  return isWrapped ? fields(bytes.subarray(magic.length)) : undefined;
}

/** The length-delimited fields of a message by number, in order. Throws where the bytes are no message, or too many. */
export function fields(message: Uint8Array): Fields {
  const found = new Map<number, Uint8Array[]>();
  const reader = new BinaryReader(message);
  let count = 0;
  while (reader.pos < reader.len) {
    count += 1;
    if (count > maximumValues) throw new Error('a message of too many values');
    const [number, wireType] = reader.tag();
    if (wireType !== WireType.LengthDelimited) {
      reader.skip(wireType, number);
      continue;
    }
    const values = found.get(number) ?? [];
    values.push(reader.bytes());
    found.set(number, values);
  }
  return found;
}

/** A message field that came in several parts is all of them together. */
export function merged(parts: readonly Uint8Array[] = []): Fields {
  return fields(Buffer.concat(parts));
}

/** The last value of a field, which is the one that counts; empty where there is none. */
export function last(values: readonly Uint8Array[] = []): Uint8Array {
  return values.at(-1) ?? new Uint8Array();
}

/** Throws where the bytes are not UTF-8. */
export function text(bytes: Uint8Array): string {
  return new TextDecoder('utf-8', {fatal: true, ignoreBOM: true}).decode(bytes);
}
