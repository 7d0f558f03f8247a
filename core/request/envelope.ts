import {BinaryReader, WireType} from '@bufbuild/protobuf/wire';

/** What a Kubernetes object in protobuf says of itself. Empty where it says nothing. */
export interface ObjectEnvelope {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly generateName: string;
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly finalizers: readonly string[];
}

const magic = Buffer.from('k8s\0');

/**
 * Reads which object a body of `application/vnd.kubernetes.protobuf` holds, so that an approver sees what it is and a
 * policy may look at its metadata; the rest stays opaque, because what its fields mean each kind says for itself. Later
 * fields win over earlier ones, as they do for the API server.
 *
 * Source: k8s.io/apimachinery pkg/runtime generated.proto (Unknown, TypeMeta) and pkg/apis/meta/v1 (ObjectMeta); the
 * first field of every object is its metadata.
 *
 * @returns undefined where the bytes are no such envelope
 */
export function readEnvelope(bytes: Uint8Array): ObjectEnvelope | undefined {
  if (bytes.length < magic.length || !magic.equals(bytes.subarray(0, magic.length))) return undefined;
  try {
    const unknown = fields(bytes.subarray(magic.length));
    const type = merged(unknown.get(1));
    const metadata = merged(fields(last(unknown.get(2))).get(1));
    return {
      apiVersion: text(last(type.get(1))),
      kind: text(last(type.get(2))),
      name: text(last(metadata.get(1))),
      generateName: text(last(metadata.get(2))),
      namespace: text(last(metadata.get(3))),
      labels: entries(metadata.get(11)),
      annotations: entries(metadata.get(12)),
      finalizers: (metadata.get(14) ?? []).map(text),
    };
  } catch {
    // Cut short, or no protobuf at all.
    return undefined;
  }
}

/** The length-delimited fields of a message by number, in order. */
function fields(message: Uint8Array): Map<number, Uint8Array[]> {
  const found = new Map<number, Uint8Array[]>();
  const reader = new BinaryReader(message);
  while (reader.pos < reader.len) {
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
function merged(parts: readonly Uint8Array[] = []): Map<number, Uint8Array[]> {
  return fields(Buffer.concat(parts));
}

/** A map: one message for each entry, the last of the same key wins. */
function entries(messages: readonly Uint8Array[] = []): Readonly<Record<string, string>> {
  return Object.fromEntries(
    messages.map((message) => {
      const entry = fields(message);
      return [text(last(entry.get(1))), text(last(entry.get(2)))];
    }),
  );
}

function last(values: readonly Uint8Array[] = []): Uint8Array {
  return values.at(-1) ?? new Uint8Array();
}

function text(bytes: Uint8Array): string {
  return new TextDecoder('utf-8', {fatal: true}).decode(bytes);
}
