import {type DecodeOptions, decode, Token, Tokenizer, Type} from 'cborg';

/** Why bytes are not CBOR that Kubernetes could mean. */
export class CBORError extends Error {
  override readonly name = 'CBORError';
}

/**
 * Reads one CBOR item and writes it as the JSON text that means the same to Kubernetes, so that everything behind it is
 * as strict as for JSON. Refused is what has no one meaning there: duplicate keys, keys that are not text, text that is
 * not UTF-8, NaN and infinity, undefined, tags other than those below, and anything behind the item.
 *
 * Byte strings are text, as client-go writes every string, keys included; one with an "expected later encoding" tag is
 * data and becomes the text that the tag says (RFC 8949, 3.4.5.2).
 *
 * Source: KEP-4222; k8s.io/apimachinery pkg/runtime/serializer/cbor/internal/modes/decode.go.
 *
 * @throws {CBORError}
 */
export function jsonOfCBOR(bytes: Uint8Array): string {
  const tokenizer = new KubernetesTokenizer(bytes);
  try {
    return JSON.stringify(decode(bytes, {...options, tokenizer, tags: tagsOf(tokenizer)}), asJSON);
  } catch (cause) {
    // Nesting without end exhausts the stack before it exhausts anything else.
    const reason = cause instanceof RangeError ? 'it is nested too deep' : messageOf(cause);
    throw new CBORError(reason, {cause});
  }
}

const options: DecodeOptions = {
  allowBigInt: true,
  allowIndefinite: true,
  allowUndefined: false,
  allowNaN: false,
  allowInfinity: false,
  rejectDuplicateMapKeys: true,
  retainStringBytes: true,
};

class KubernetesTokenizer extends Tokenizer {
  /** The next item is data, not text. */
  expectsData = false;

  constructor(bytes: Uint8Array) {
    super(bytes, options);
  }

  override next(): Token {
    const token = super.next();
    const {expectsData} = this;
    this.expectsData = false;
    if (Type.equals(token.type, Type.bytes)) {
      return expectsData ? token : new Token(Type.string, utf8(token.value), token.encodedLength);
    }
    if (expectsData) throw new CBORError('a tag for data is on something else');
    if (Type.equals(token.type, Type.string)) {
      return new Token(Type.string, utf8(token.byteValue), token.encodedLength);
    }
    return token;
  }
}

function tagsOf(tokenizer: KubernetesTokenizer): NonNullable<DecodeOptions['tags']> {
  const data = (encoding: 'base64url' | 'base64' | 'hex') => (item: () => unknown) => {
    tokenizer.expectsData = true;
    return Buffer.from(item() as Uint8Array).toString(encoding);
  };
  return {
    21: data('base64url'),
    22: data('base64'),
    23: data('hex'),
    // Self-described CBOR: what follows is CBOR, which was known.
    55799: (item) => item(),
  };
}

function utf8(bytes: unknown): string {
  try {
    return new TextDecoder('utf-8', {fatal: true, ignoreBOM: true}).decode(bytes as Uint8Array);
  } catch (cause) {
    throw new CBORError('it holds text that is not UTF-8', {cause});
  }
}

/** In JavaScript since 2024, in TypeScript's libraries not yet. */
const {rawJSON} = JSON as unknown as {readonly rawJSON: (text: string) => unknown};

/** Writes integers that no double holds; the library leaves a break in the place of a value as a symbol. */
function asJSON(_key: string, value: unknown): unknown {
  if (typeof value === 'symbol') throw new CBORError('a value is missing');
  return typeof value === 'bigint' ? rawJSON(value.toString()) : value;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message.replace(/^CBOR decode error: /, '') : String(error);
}
