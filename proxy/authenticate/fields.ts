/** Collects what is wrong with a document while it is read, so that a person sees all of it at once. */
export class Problems {
  readonly #list: string[] = [];

  get all(): readonly string[] {
    return this.#list;
  }

  add(path: string, problem: string): void {
    this.#list.push(path === '' ? problem : `${path}: ${problem}`);
  }
}

/** The fields of one mapping of the document. A field that is null counts as absent, as it does for Kubernetes. */
export class Fields {
  readonly path: string;
  readonly #values: ReadonlyMap<string, unknown>;
  readonly #problems: Problems;

  /** Unknown fields are problems: a misspelt rule must not be a missing one. */
  constructor(value: unknown, path: string, known: readonly string[], problems: Problems) {
    this.path = path;
    this.#problems = problems;
    this.#values = new Map(isMapping(value) ? Object.entries(value).filter(([, member]) => member !== null) : []);
    if (!isMapping(value)) problems.add(path, `must be a mapping, not ${describe(value)}`);
    for (const name of this.#values.keys()) {
      if (!known.includes(name)) problems.add(this.at(name), `unknown field; there are ${known.join(', ')}`);
    }
  }

  at(name: string): string {
    return this.path === '' ? name : `${this.path}.${name}`;
  }

  has(name: string): boolean {
    return this.#values.has(name);
  }

  problem(name: string, problem: string): void {
    this.#problems.add(name === '' ? this.path : this.at(name), problem);
  }

  /** Undefined where the field is absent or no text. */
  text(name: string): string | undefined {
    const value = this.#values.get(name);
    if (value === undefined || typeof value === 'string') return value;
    this.problem(name, `must be a text, not ${describe(value)}; quote it`);
    return undefined;
  }

  /** "" where the field is absent, empty or no text, which is a problem. */
  requiredText(name: string, example: string): string {
    const value = this.text(name);
    if (value === '' || (value === undefined && !this.has(name)))
      this.problem(name, `is required, for example ${example}`);
    return value ?? '';
  }

  flag(name: string): boolean | undefined {
    const value = this.#values.get(name);
    if (value === undefined || typeof value === 'boolean') return value;
    this.problem(name, `must be true or false, not ${describe(value)}`);
    return undefined;
  }

  /** Undefined where the field is absent. */
  mapping(name: string, known: readonly string[]): Fields | undefined {
    const value = this.#values.get(name);
    return value === undefined ? undefined : new Fields(value, this.at(name), known, this.#problems);
  }

  mappings(name: string, known: readonly string[]): readonly Fields[] {
    return this.list(name).map(
      (value, index) => new Fields(value, `${this.at(name)}[${index}]`, known, this.#problems),
    );
  }

  list(name: string): readonly unknown[] {
    const value = this.#values.get(name);
    if (value === undefined) return [];
    if (Array.isArray(value)) return value;
    this.problem(name, `must be a list, not ${describe(value)}`);
    return [];
  }
}

function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function describe(value: unknown): string {
  if (value === null || value === undefined) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  return typeof value === 'object' ? 'a mapping' : `the ${typeof value} ${String(value)}`;
}
