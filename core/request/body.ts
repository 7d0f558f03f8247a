import {jsonOfBuiltIn} from './builtin.ts';
import {CBORError, jsonOfCBOR} from './cbor.ts';
import {readEnvelope} from './envelope.ts';
import {JSONTextError, parseJSON} from './json.ts';
import {objectOfEnvelope, PartialObject} from './partial.ts';

/** A request body as policy, approval and audit see it. */
export type Body =
  | {readonly kind: 'Empty'}
  /**
   * JSON, or CBOR and protobuf that say the same. `value` as {@link parseJSON} gives it; `canonical` is the same for
   * every way to write the same value. Of protobuf `encoded` is what was sent, so that a digest need not rest on how it
   * was read.
   */
  | {readonly kind: 'JSON'; readonly value: unknown; readonly canonical: string; readonly encoded?: Uint8Array}
  /** What is not read as a whole: YAML, protobuf of other kinds. The bytes are their own canonical form. */
  | {readonly kind: 'Opaque'; readonly canonical: Uint8Array; readonly readable?: PartialObject};

/** A body that the API server could read differently from us, or not at all. Answered with 400. */
export class BodyError extends Error {
  override readonly name = 'BodyError';
  readonly code: JSONTextError['code'] | 'NotUTF8';

  constructor(code: BodyError['code'], message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** Kubernetes objects stay under 30; the recursion is safe far beyond. */
const maximumDepth = 256;

/** Line breaks to YAML 1.1, which folds them inside quotes; ordinary characters to JSON. */
const yamlLineBreaks = /[\u0085\u2028\u2029]/;

/**
 * Reads a whole request body. No media type means JSON, as for the API server. What is called YAML is read where it is
 * JSON (as kubectl's server-side apply sends it) and opaque otherwise.
 *
 * @param contentType the Content-Type header as received; "" where there is none
 * @throws {BodyError} for JSON or CBOR that is not UTF-8, not valid, ambiguous or nested too deep; the message names the
 * place
 */
export function readBody(bytes: Uint8Array, contentType: string): Body {
  if (bytes.length === 0) return {kind: 'Empty'};
  switch (syntaxOf(contentType)) {
    case 'JSON':
      return readJSON(decodeUTF8(bytes));
    case 'CBOR':
      return readCBOR(bytes);
    case 'YAML':
      return readYAML(bytes, contentType);
    case 'Protobuf':
      return readProtobuf(bytes, contentType);
    case 'Other':
      return opaque(bytes, contentType);
  }
}

/** The media type of a Content-Type header, in lower case and without parameters. */
export function mediaTypeOf(contentType: string): string {
  const semicolon = contentType.indexOf(';');
  return (semicolon === -1 ? contentType : contentType.slice(0, semicolon)).trim().toLowerCase();
}

function syntaxOf(contentType: string): 'JSON' | 'CBOR' | 'YAML' | 'Protobuf' | 'Other' {
  switch (mediaTypeOf(contentType)) {
    case '':
    case 'application/json':
    case 'application/json-patch+json':
    case 'application/merge-patch+json':
    case 'application/strategic-merge-patch+json':
      return 'JSON';
    case 'application/cbor':
    case 'application/apply-patch+cbor':
      return 'CBOR';
    case 'application/yaml':
    case 'application/apply-patch+yaml':
      return 'YAML';
    case 'application/vnd.kubernetes.protobuf':
      return 'Protobuf';
    default:
      return 'Other';
  }
}

function readJSON(text: string): Body {
  try {
    return {kind: 'JSON', ...parseJSON(text, maximumDepth)};
  } catch (error) {
    if (error instanceof JSONTextError)
      throw new BodyError(error.code, `cannot read the body: ${error.message}`, {cause: error});
    throw error;
  }
}

function readCBOR(bytes: Uint8Array): Body {
  try {
    return readJSON(jsonOfCBOR(bytes));
  } catch (error) {
    if (error instanceof CBORError) {
      throw new BodyError('Syntax', `cannot read the body as CBOR: ${error.message}`, {cause: error});
    }
    throw error;
  }
}

function readYAML(bytes: Uint8Array, contentType: string): Body {
  const text = decodeUTF8(bytes);
  if (yamlLineBreaks.test(text)) return opaque(bytes, contentType);
  try {
    return readJSON(text);
  } catch (error) {
    if (error instanceof BodyError && error.code === 'Syntax') return opaque(bytes, contentType);
    throw error;
  }
}

/** Protobuf that is not read, or not within the bounds of JSON, is opaque: there is more in it than one can tell. */
function readProtobuf(bytes: Uint8Array, contentType: string): Body {
  const json = jsonOfBuiltIn(bytes);
  try {
    if (json !== undefined) return {kind: 'JSON', ...parseJSON(json, maximumDepth), encoded: bytes};
  } catch (error) {
    if (!(error instanceof JSONTextError)) throw error;
  }
  const envelope = readEnvelope(bytes);
  return envelope === undefined
    ? opaque(bytes, contentType)
    : {kind: 'Opaque', canonical: bytes, readable: objectOfEnvelope(envelope)};
}

function opaque(bytes: Uint8Array, contentType: string): Body {
  const readable = new PartialObject(`a body of ${mediaTypeOf(contentType)} cannot be read; send JSON`);
  return {kind: 'Opaque', canonical: bytes, readable};
}

function decodeUTF8(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', {fatal: true, ignoreBOM: true}).decode(bytes);
  } catch (cause) {
    throw new BodyError('NotUTF8', 'cannot read the body: it is not valid UTF-8', {cause});
  }
}
