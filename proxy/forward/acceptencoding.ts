/** RFC 9110, 12.4.2, the space around it already taken off. */
const weight = /^q=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)$/i;

/**
 * Whether a client takes gzip, and does not rather have the answer as it is.
 *
 * What cannot be read counts as not taken: every client reads what is not encoded. Source: RFC 9110, 12.5.3.
 */
export function acceptsGzip(acceptEncoding: string | undefined): boolean {
  if (acceptEncoding === undefined) return false;
  const weights = new Map<string, number>();
  for (const entry of acceptEncoding.split(',')) {
    const [name = '', ...parameters] = entry.split(';').map((part) => part.trim());
    const coding = name.toLowerCase() === 'x-gzip' ? 'gzip' : name.toLowerCase();
    // Of a coding that is named twice the lower weight holds.
    weights.set(coding, Math.min(weightOf(parameters), weights.get(coding) ?? 1));
  }
  const gzip = weights.get('gzip') ?? weights.get('*') ?? 0;
  return gzip > 0 && gzip >= (weights.get('identity') ?? 0);
}

function weightOf(parameters: readonly string[]): number {
  const [first, ...others] = parameters;
  if (first === undefined) return 1;
  const value = others.length === 0 ? weight.exec(first)?.[1] : undefined;
  return value === undefined ? 0 : Number(value);
}
