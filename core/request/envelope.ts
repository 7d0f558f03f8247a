import {fields, last, merged, text, unwrapped} from './protobuf.ts';

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
  try {
    const unknown = unwrapped(bytes);
    if (unknown === undefined) return undefined;
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

/** A map: one message for each entry, the last of the same key wins. */
function entries(messages: readonly Uint8Array[] = []): Readonly<Record<string, string>> {
  return Object.fromEntries(
    messages.map((message) => {
      const entry = fields(message);
      return [text(last(entry.get(1))), text(last(entry.get(2)))];
    }),
  );
}
