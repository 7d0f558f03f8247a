/**
 * The largest object that a line carries: kube-apiserver accepts bodies up to 3 MiB, so every request fits and only
 * larger answers are left out.
 */
export const maximumObjectBytes = 3 * 1024 * 1024;

const needsNoEscaping = /^[\x20\x21\x23-\x5b\x5d-\x7e]*$/;

/** A JSON string, as JSON.stringify writes it. */
export function quote(text: string): string {
  return needsNoEscaping.test(text) ? `"${text}"` : JSON.stringify(text);
}

export function quoteList(texts: readonly string[]): string {
  return `[${texts.map(quote).join(',')}]`;
}

/**
 * Puts a body into a line. JSON stays as it was sent, duplicate keys and number spellings included, on one line; any
 * other text becomes a JSON string, so that a body can never end the record early and write annotations of its own.
 *
 * @returns `truncated` where the object is too large and null stands for it.
 */
export function embed(body: string | null): {readonly text: string; readonly truncated: boolean} {
  if (body === null || body.length > maximumObjectBytes) return {text: 'null', truncated: true};
  const text = isJSON(body) ? body.replace(/[\r\n]/g, ' ') : JSON.stringify(body);
  return Buffer.byteLength(text) > maximumObjectBytes ? {text: 'null', truncated: true} : {text, truncated: false};
}

function isJSON(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
