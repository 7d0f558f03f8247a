import type {FieldPath} from './plan.ts';

/** A path, and what is to be known of the values that it leads to: bits of the caller's own. */
export interface MarkedPath {
  readonly path: FieldPath;
  readonly marks: number;
}

/** In what an object can come: by itself, in a list, a watch event, a table, or a table in a watch event. */
const WRAPPERS: readonly FieldPath[] = [
  [],
  ['items', '*'],
  ['object'],
  ['rows', '*', 'object'],
  ['object', 'rows', '*', 'object'],
];

/** What is known behind a path; shared by all paths that begin alike. */
class Node {
  marks = 0;
  readonly members = new Map<string, Node>();
  /** Any member, any element. */
  any: Node | undefined;

  add(path: FieldPath, marks: number): void {
    let node: Node = this;
    for (const name of path) {
      const next = (name === '*' ? node.any : node.members.get(name)) ?? new Node();
      if (name === '*') node.any = next;
      else node.members.set(name, next);
      node = next;
    }
    node.marks |= marks;
  }
}

interface NamedPlace {
  readonly name: string;
  readonly bytes: Buffer;
  /** Made when it is first met. */
  place: Place | undefined;
}

/**
 * A place in a JSON document, as far as the paths tell places apart: all nodes that one may be at. Places are made the
 * first time that somebody goes there, and are few, as there are few names in the paths.
 */
export class Place {
  /** Of the values here. */
  readonly marks: number;
  /** Of values one level further in, whatever they are called. */
  readonly memberMarks: number;
  /** Whether any path ends here or further in. */
  readonly matters: boolean;
  /** Whether it matters here what a member is called. */
  readonly hasNames: boolean;
  readonly #nodes: readonly Node[];
  readonly #named: readonly NamedPlace[];
  #other: Place | undefined;

  constructor(nodes: readonly Node[]) {
    this.#nodes = nodes;
    const next = nodes.flatMap(({members, any}) => [...members.values(), ...(any === undefined ? [] : [any])]);
    const names = new Set(nodes.flatMap(({members}) => [...members.keys()]));
    this.#named = [...names].map((name) => ({name, bytes: Buffer.from(name), place: undefined}));
    this.marks = union(nodes);
    this.memberMarks = union(next);
    this.matters = this.marks !== 0 || next.length > 0;
    this.hasNames = names.size > 0;
  }

  /** Of the member whose name stands at [from, to), in UTF-8. */
  member(bytes: Buffer, from: number, to: number): Place {
    for (const named of this.#named) {
      if (isEqual(named.bytes, bytes, from, to)) {
        named.place ??= new Place(
          this.#nodes.flatMap(({members, any}) => [members.get(named.name), any]).filter((node) => node !== undefined),
        );
        return named.place;
      }
    }
    return this.other;
  }

  /** Any element, and any member that no path names. */
  get other(): Place {
    if (!this.matters) return this;
    this.#other ??= new Place(this.#nodes.flatMap(({any}) => any ?? []));
    return this.#other;
  }
}

function isEqual(name: Buffer, bytes: Buffer, from: number, to: number): boolean {
  const {length} = name;
  if (to - from !== length) return false;
  for (let index = 0; index < length; index++) {
    if (name[index] !== bytes[from + index]) return false;
  }
  return true;
}

function union(nodes: readonly Node[]): number {
  return nodes.reduce((marks, node) => marks | node.marks, 0);
}

/**
 * Where documents begin that hold objects, in one of the ways in which Kubernetes gives them. Which it is stands in
 * them, but not always first; so all are expected, and the paths hold for each.
 */
export function placeOfDocuments(paths: Iterable<MarkedPath>): Place {
  const root = new Node();
  for (const {path, marks} of paths) {
    for (const wrapper of WRAPPERS) root.add([...wrapper, ...path], marks);
  }
  return new Place([root]);
}
