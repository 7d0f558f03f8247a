import {kinds, messages} from './table.ts';

/** What a field of a message is in JSON. */
export interface Field {
  readonly shape: 'One' | 'Pointer' | 'List' | 'Map';
  /** A scalar, a special message, or the name of a message in the table; of a list or a map that of its elements. */
  readonly element: string;
  /** Is in the JSON whatever it holds; others are left out where they hold nothing. */
  readonly always: boolean;
  /** "" where its members are those of the message that it is in. */
  readonly name: string;
}

/** Fields by number. */
export type Message = ReadonlyMap<number, Field>;

/**
 * The messages of Kubernetes' built-in kinds. Made for one body and dropped behind it: a body has few messages, and a
 * proxy may never see one in protobuf.
 */
export class Schema {
  readonly #messages = new Map<string, Message>();

  /** Throws where there is no such message. */
  message(name: string): Message {
    let message = this.#messages.get(name);
    if (message === undefined) {
      const line = messages[name];
      if (line === undefined) throw new Error(`no message ${name}`);
      message = messageOf(line);
      this.#messages.set(name, message);
    }
    return message;
  }
}

/** Which message an object of a kind is; undefined where the kind is not built in. */
export function messageOfKind(apiVersion: string, kind: string): string | undefined {
  if (!Object.hasOwn(kinds, apiVersion)) return undefined;
  const [group, ...names] = kinds[apiVersion]?.split(' ') ?? [];
  // Every group version has its own name for the same message.
  if (kind === 'DeleteOptions') return 'meta/v1.DeleteOptions';
  return names.includes(kind) ? `${group}.${kind}` : undefined;
}

const shapes = {'*': 'Pointer', '[]': 'List', '{}': 'Map'} as const;
const fieldText = /^(\d+):(\*|\[\]|\{\})?([^!]+)(!?):(.*)$/;

/** From a line of the table, such as `1:string!:name 3:[]string:args`. */
export function messageOf(line: string): Message {
  const fields = new Map<number, Field>();
  for (const text of line === '' ? [] : line.split(' ')) {
    const [, number, prefix, element = '', always, name = ''] = fieldText.exec(text) ?? [];
    const shape = prefix === undefined ? 'One' : shapes[prefix as keyof typeof shapes];
    fields.set(Number(number), {shape, element, always: always === '!', name});
  }
  return fields;
}
