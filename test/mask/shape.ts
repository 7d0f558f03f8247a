/**
 * Checks that masked JSON, one document or one a line, parses as it did before: the same members in the same order, of
 * the same types, but for numbers that became strings, and for one name that a card stood in.
 *
 * @param name for the message
 */
export function expectSameShape(name: string, before: Buffer, after: Buffer): void {
  const [one, other] = [before, after].map(documentsOf) as [unknown[], unknown[]];
  if (one.length !== other.length) throw new Error(`${name}: ${one.length} documents became ${other.length}`);
  const renamed = one.flatMap((document, index) => compare(name, document, other[index]));
  if (renamed.length > 1) throw new Error(`${name}: renamed are ${renamed.join(', ')}`);
}

function documentsOf(bytes: Buffer): unknown[] {
  const text = bytes.toString();
  try {
    return [JSON.parse(text)];
  } catch {
    return text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as unknown);
  }
}

/** Gives the members that have another name. */
function compare(path: string, before: unknown, after: unknown): string[] {
  const [one, other] = [before, after].map(typeOf);
  if (one !== other && !(one === 'number' && other === 'string')) throw new Error(`${path}: ${one} became ${other}`);
  if (typeof before !== 'object' || before === null) return [];
  const members = Object.entries(before);
  const masked = Object.entries(after as object);
  if (members.length !== masked.length) throw new Error(`${path}: ${members.length} members became ${masked.length}`);
  return members.flatMap(([key, value], index) => {
    const [maskedKey, maskedValue] = masked[index] as [string, unknown];
    return [...(key === maskedKey ? [] : [key]), ...compare(`${path}.${key}`, value, maskedValue)];
  });
}

function typeOf(value: unknown): string {
  if (value === null) return 'null';
  return Array.isArray(value) ? 'list' : typeof value;
}
