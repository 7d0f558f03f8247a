import type {ObjectEnvelope} from './envelope.ts';

/** An object of which some members were read and the others are there or not: nobody knows. */
export class PartialObject {
  /** The members that could be read, those that are absent included. */
  readonly known: ReadonlySet<string>;
  /** Those of them that are there. */
  readonly members: Readonly<Record<string, unknown>>;
  /** Why the others could not, and what would help. */
  readonly reason: string;

  constructor(reason: string, members: Readonly<Record<string, unknown>> = {}) {
    this.reason = reason;
    this.known = new Set(Object.keys(members));
    this.members = Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined));
  }
}

/** What an envelope says, as the JSON of the same object would say it: what is empty is absent. */
export function objectOfEnvelope({apiVersion, kind, ...metadata}: ObjectEnvelope): PartialObject {
  const reason = 'of a body in protobuf only names, labels, annotations and finalizers can be read; send JSON';
  return new PartialObject(reason, {
    apiVersion,
    kind,
    metadata: new PartialObject(
      reason,
      Object.fromEntries(Object.entries(metadata).map(([name, value]) => [name, isEmpty(value) ? undefined : value])),
    ),
  });
}

function isEmpty(value: string | readonly string[] | Readonly<Record<string, string>>): boolean {
  return typeof value === 'object' ? Object.keys(value).length === 0 : value === '';
}
