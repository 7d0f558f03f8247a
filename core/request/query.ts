/** One `name=value` of a query, decoded. */
export interface QueryParameter {
  readonly name: string;
  readonly value: string;
}

/**
 * Reads a raw query ("" or without its "?") as Go's `url.URL.Query()` does: order kept, "+" is a space, and whatever
 * holds a ";" or a bad percent-encoding is dropped without a word. Bytes that are not UTF-8 become U+FFFD.
 */
export function parseQuery(query: string): readonly QueryParameter[] {
  if (query === '') return [];
  const parameters: QueryParameter[] = [];
  for (const pair of query.split('&')) {
    if (pair === '' || pair.includes(';')) continue;
    const equals = pair.indexOf('=');
    const name = queryUnescape(equals === -1 ? pair : pair.slice(0, equals));
    const value = equals === -1 ? '' : queryUnescape(pair.slice(equals + 1));
    if (name !== undefined && value !== undefined) parameters.push({name, value});
  }
  return parameters;
}

/** The first value of a parameter, which is the one that the API server takes; undefined where there is none. */
export function firstValue(parameters: readonly QueryParameter[], name: string): string | undefined {
  for (const parameter of parameters) if (parameter.name === name) return parameter.value;
  return undefined;
}

/**
 * A query parameter as a bool, by apimachinery's `Convert_Slice_string_To_bool`: absent, "0" and "false" in any case
 * are false; everything else is true, "" and "no" included.
 */
export function isTrue(value: string | undefined): boolean {
  // Upper case, not lower: Go folds U+017F (long s) to S as well.
  return value !== undefined && value !== '0' && !(value.length === 5 && value.toUpperCase() === 'FALSE');
}

/** Whether Go's `strconv.ParseInt(text, 10, 64)` takes it. */
export function isInt64(text: string): boolean {
  if (!/^[+-]?[0-9]+$/.test(text)) return false;
  const value = BigInt(text.startsWith('+') ? text.slice(1) : text);
  return value === BigInt.asIntN(64, value);
}

/**
 * Decodes percent-encodings; undefined where one is malformed. Bytes that are not UTF-8 become U+FFFD, as they do when
 * Go writes them out as JSON.
 */
export function percentDecode(text: string): string | undefined {
  if (!text.includes('%')) return text;
  try {
    return decodeURIComponent(text);
  } catch {
    return decodeBytes(text);
  }
}

function queryUnescape(text: string): string | undefined {
  return percentDecode(text.includes('+') ? text.replaceAll('+', ' ') : text);
}

/** decodeURIComponent fails for malformed encodings and for bytes that are not UTF-8; Go only for the first. */
function decodeBytes(text: string): string | undefined {
  const bytes: number[] = [];
  const encoded = Buffer.from(text, 'utf8');
  for (let at = 0; at < encoded.length; at++) {
    const byte = encoded[at] ?? 0;
    if (byte !== 0x25) {
      bytes.push(byte);
      continue;
    }
    const high = hexDigit(encoded[at + 1]);
    const low = hexDigit(encoded[at + 2]);
    if (high === -1 || low === -1) return undefined;
    bytes.push(high * 16 + low);
    at += 2;
  }
  return Buffer.from(bytes).toString('utf8');
}

function hexDigit(byte: number | undefined): number {
  if (byte === undefined) return -1;
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x61 + 10 : -1;
}
