import {type Document, isMap, isNode, isScalar, isSeq, LineCounter, parseAllDocuments} from 'yaml';
import type {Path} from './schema/schema.ts';

/** One document of a YAML file. */
export interface YamlDocument {
  /** Numbers beyond what a double holds exactly are bigints, so that a card number of 19 digits keeps them. */
  readonly value: unknown;
  /** The line, from 1, on which this is, or on which what should hold it begins. */
  lineOf(path: Path): number;
}

/** The text is no YAML. */
export class YamlError extends Error {
  override readonly name = 'YamlError';
  readonly code = 'NotYaml';
  readonly line: number;

  constructor(message: string, line: number, options?: ErrorOptions) {
    super(message, options);
    this.line = line;
  }
}

/**
 * Reads the documents of a YAML file, JSON included; empty ones are left out.
 *
 * @throws {YamlError}
 */
export function parseYaml(text: string): YamlDocument[] {
  const lines = new LineCounter();
  const documents = [...parseAllDocuments(text, {lineCounter: lines, intAsBigInt: true, prettyErrors: false})];
  return documents.flatMap((document) => {
    const [error] = document.errors;
    if (error !== undefined) throw new YamlError(error.message, lines.linePos(error.pos[0]).line, {cause: error});
    const value = withNumbers(contentOf(document));
    if (value === null || value === undefined) return [];
    return [{value, lineOf: (path) => lines.linePos(offsetOf(document, path)).line}];
  });
}

function contentOf(document: Document.Parsed): unknown {
  try {
    return document.toJS({maxAliasCount: 100});
  } catch (cause) {
    // Aliases of nothing, or that grow without bound: the library says so only now.
    throw new YamlError(cause instanceof Error ? cause.message : String(cause), 1, {cause});
  }
}

/** Where the last step of the path begins that is there: for a member its name. */
function offsetOf(document: Document.Parsed, path: Path): number {
  let node: unknown = document.contents;
  let offset = startOf(node) ?? 0;
  for (const step of path) {
    let next: unknown;
    if (isMap(node)) {
      const pair = node.items.find(({key}) => isScalar(key) && String(key.value) === String(step));
      next = pair?.value;
      offset = startOf(pair?.key) ?? offset;
    } else if (isSeq(node) && typeof step === 'number') {
      next = node.items[step];
      offset = startOf(next) ?? offset;
    }
    if (next === undefined) break;
    node = next;
  }
  return offset;
}

function startOf(node: unknown): number | undefined {
  return isNode(node) ? node.range?.[0] : undefined;
}

function withNumbers(value: unknown): unknown {
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : value;
  if (Array.isArray(value)) return value.map(withNumbers);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, withNumbers(member)]));
}
