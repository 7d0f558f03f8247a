import {BinaryReader, WireType} from '@bufbuild/protobuf/wire';
import {parseJSON} from './json.ts';
import {type Fields, merged, text, unwrapped} from './protobuf.ts';
import {type Field, type Message, messageOf, messageOfKind, Schema} from './schema/schema.ts';

/**
 * The JSON of an object of a built-in kind in `application/vnd.kubernetes.protobuf`: what a client in Go would have sent
 * of the same object, had it sent JSON. What the API server could read otherwise, or what this table does not know, is
 * not read at all: fields without a name here, fields that come twice, keys that do, another wire type, numbers out of
 * range or longer than need be, text that is not UTF-8, raw JSON that is none.
 *
 * @returns undefined where the bytes are not read
 */
export function jsonOfBuiltIn(bytes: Uint8Array): string | undefined {
  try {
    const wrapper = unwrapped(bytes);
    if (wrapper === undefined) return undefined;
    const [type, object, encoding, mediaType] = allOf(wrapper, 4);
    // Of the object inside: nobody sends them.
    if (encoding?.length || mediaType?.length) return undefined;
    const [apiVersion = '', kind = ''] = allOf(merged(type && [type]), 2).map((name) => name && text(name));
    const message = messageOfKind(apiVersion, kind);
    return message && new ObjectReader(object ?? new Uint8Array()).object(message, {apiVersion, kind});
  } catch {
    return undefined;
  }
}

/** The fields of a message that has those of the first `count` numbers and no others, each at most once. */
function allOf(fields: Fields, count: number): readonly (Uint8Array | undefined)[] {
  for (const [number, values] of fields) {
    if (number > count || values.length > 1) throw new Error(`field ${number} is not known, or comes twice`);
  }
  return Array.from({length: count}, (_, index) => fields.get(index + 1)?.[0]);
}

/**
 * Of the JSON. Empty messages of two bytes become members of many; what is stored stays far below, and parsing this much
 * costs no more memory than parsing the largest body of JSON.
 */
const maximumTextLength = 4 * 1024 * 1024;

/** Messages whose JSON is not an object of their fields. */
const special = {
  Time: messageOf('1:int64:seconds 2:int32:nanos'),
  MicroTime: messageOf('1:int64:seconds 2:int32:nanos'),
  Quantity: messageOf('1:string:string'),
  IntOrString: messageOf('1:int64:type 2:int32:intVal 3:string:strVal'),
  JSON: messageOf('1:json:raw'),
  Strings: messageOf('1:[]string:items'),
};

/** JSON of what is not there. */
const absent: Readonly<Record<string, string>> = {string: '""', bool: 'false', int32: '0', int64: '0', bytes: 'null'};

const minimumSeconds = -62_135_596_800n;
const maximumSeconds = 253_402_300_799n;

/** Reads one object. Each method starts where the one before it ended, and throws where it cannot go on. */
class ObjectReader {
  readonly #bytes: Uint8Array;
  readonly #reader: BinaryReader;
  readonly #utf8 = new TextDecoder('utf-8', {fatal: true, ignoreBOM: true});
  readonly #schema = new Schema();
  #lengthLeft = maximumTextLength;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#reader = new BinaryReader(bytes);
  }

  object(message: string, type: {readonly apiVersion: string; readonly kind: string}): string {
    const members = this.#members(this.#schema.message(message), this.#bytes.length);
    const start = JSON.stringify(type).slice(0, -1);
    return members === '' ? `${start}}` : `${start},${members}}`;
  }

  /** The members of an object, without its braces. */
  #members(message: Message, end: number): string {
    const found = this.#values(message, end);
    const members: string[] = [];
    for (const [number, field] of message) {
      const value = this.#memberValue(field, found.get(number));
      if (value === undefined || (field.name === '' && value === '{}')) continue;
      members.push(field.name === '' ? value.slice(1, -1) : this.#counted(`"${field.name}":`) + value);
    }
    return members.join(',');
  }

  /** The JSON of what each field holds, by number: several for a list or a map. */
  #values(message: Message, end: number): ReadonlyMap<number, readonly string[]> {
    const found = new Map<number, string[]>();
    while (this.#reader.pos < end) {
      const tag = this.#varint();
      const number = Number(tag >> 3n);
      const field = message.get(number);
      if (field === undefined) throw new Error(`field ${number} is not known`);
      const values = found.get(number) ?? [];
      const isSeveral = field.shape === 'List' || field.shape === 'Map';
      if (values.length > 0 && !isSeveral) throw new Error(`field ${number} comes twice`);
      const wireType = Number(tag & 7n);
      values.push(field.shape === 'Map' ? this.#entry(field.element, wireType) : this.#value(field.element, wireType));
      found.set(number, values);
    }
    if (this.#reader.pos !== end) throw new Error('a field is longer than what it is in');
    return found;
  }

  /** As encoding/json of Go has it, for which no struct is empty. Undefined where it leaves the field out. */
  #memberValue({shape, element, always}: Field, values: readonly string[] | undefined): string | undefined {
    switch (shape) {
      case 'List':
        return values ? `[${values.join(',')}]` : always ? 'null' : undefined;
      case 'Map':
        return values ? `{${values.join(',')}}` : always ? 'null' : undefined;
      case 'Pointer':
        return values?.[0] ?? (always ? 'null' : undefined);
      case 'One': {
        const value = values?.[0] ?? this.#absent(element);
        const isEmpty = value === absent[element] || value === '""' || (element === 'Time' && value === 'null');
        return isEmpty && !always ? undefined : value;
      }
    }
  }

  #absent(element: string): string {
    return absent[element] ?? this.#message(element, this.#reader.pos);
  }

  #entry(element: string, wireType: number): string {
    const end = this.#end(wireType);
    const one = (of: string): Field => ({shape: 'One', element: of, always: true, name: ''});
    const found = this.#values(
      new Map([
        [1, one('string')],
        [2, one(element)],
      ]),
      end,
    );
    const key = found.get(1)?.[0] ?? absent.string;
    // Bytes in a map are there, and empty.
    const value = found.get(2)?.[0] ?? (element === 'bytes' ? '""' : this.#absent(element));
    return `${key}:${value}`;
  }

  #value(element: string, wireType: number): string {
    switch (element) {
      case 'bool':
        return this.#counted(String(this.#integer(wireType, 0n, 1n) === 1n));
      case 'int32':
        return this.#counted(String(this.#integer(wireType, -(2n ** 31n), 2n ** 31n - 1n)));
      case 'int64':
        return this.#counted(String(this.#integer(wireType, -(2n ** 63n), 2n ** 63n - 1n)));
      case 'string':
        return this.#counted(JSON.stringify(this.#utf8.decode(this.#delimited(wireType))));
      case 'bytes':
        return this.#counted(`"${Buffer.from(this.#delimited(wireType)).toString('base64')}"`);
      case 'json':
        // On its own, so that it is one value and nothing beside it.
        return this.#counted(parseJSON(this.#utf8.decode(this.#delimited(wireType)), maximumRawDepth).canonical);
      default:
        return this.#message(element, this.#end(wireType));
    }
  }

  #message(name: string, end: number): string {
    this.#counted('{}');
    switch (name) {
      case 'Time':
        return this.#time(special.Time, end, () => '');
      case 'MicroTime':
        return this.#time(special.MicroTime, end, (nanos) => `.${String(Math.floor(nanos / 1000)).padStart(6, '0')}`);
      case 'Quantity':
        return this.#values(special.Quantity, end).get(1)?.[0] ?? '"0"';
      case 'IntOrString':
        return this.#intOrString(end);
      case 'JSON':
        return this.#values(special.JSON, end).get(1)?.[0] ?? 'null';
      case 'Strings':
        return `[${(this.#values(special.Strings, end).get(1) ?? []).join(',')}]`;
      default:
        return `{${this.#members(this.#schema.message(name), end)}}`;
    }
  }

  /** Seconds since 1970; a message without fields is Go's own beginning of time, which is null in JSON. */
  #time(message: Message, end: number, fraction: (nanos: number) => string): string {
    const isZero = this.#reader.pos === end;
    const found = this.#values(message, end);
    const seconds = BigInt(found.get(1)?.[0] ?? 0);
    const nanos = Number(found.get(2)?.[0] ?? 0);
    // RFC 3339 has years of four digits.
    if (seconds <= minimumSeconds || seconds > maximumSeconds) throw new Error('a time is out of range');
    if (nanos < 0 || nanos > 999_999_999) throw new Error('a fraction of a second is more than a second');
    if (isZero) return this.#counted('null');
    const dateTime = new Date(Number(seconds) * 1000).toISOString().slice(0, -'.000Z'.length);
    return this.#counted(`"${dateTime}${fraction(nanos)}Z"`);
  }

  #intOrString(end: number): string {
    const found = this.#values(special.IntOrString, end);
    const [type = '0', number = '0', string = '""'] = [1, 2, 3].map((field) => found.get(field)?.[0]);
    if (type === '0' && string === '""') return number;
    if (type === '1' && number === '0') return string;
    throw new Error('a number or a text is both, or neither');
  }

  #integer(wireType: number, minimum: bigint, maximum: bigint): bigint {
    if (wireType !== WireType.Varint) throw new Error('a number is expected');
    const value = BigInt.asIntN(64, this.#varint());
    if (value < minimum || value > maximum) throw new Error('a number is out of range');
    return value;
  }

  #delimited(wireType: number): Uint8Array {
    const end = this.#end(wireType);
    const bytes = this.#bytes.subarray(this.#reader.pos, end);
    this.#reader.pos = end;
    return bytes;
  }

  /** Where the field ends whose length stands here. */
  #end(wireType: number): number {
    if (wireType !== WireType.LengthDelimited) throw new Error('a length is expected');
    const length = this.#varint();
    const end = this.#reader.pos + Number(length);
    if (end > this.#bytes.length) throw new Error('it is cut short');
    return end;
  }

  /** Written as short as can be: what is longer, not every reader takes, nor for the same number. */
  #varint(): bigint {
    const start = this.#reader.pos;
    const value = BigInt(this.#reader.uint64());
    const length = this.#reader.pos - start;
    if (length > 1 && value >> BigInt(7 * (length - 1)) === 0n) throw new Error('a number is longer than need be');
    if (length === 10 && this.#bytes[this.#reader.pos - 1] !== 1) throw new Error('a number is over 64 bits');
    return value;
  }

  #counted(json: string): string {
    this.#lengthLeft -= json.length + 1;
    if (this.#lengthLeft < 0) throw new Error('it is too long');
    return json;
  }
}

/** As deep as a whole body may be. */
const maximumRawDepth = 256;
