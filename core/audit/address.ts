const hexValue = (code: number): number => {
  if (code >= 48 && code <= 57) return code - 48;
  const lower = code | 32;
  return lower >= 97 && lower <= 102 ? lower - 87 : -1;
};

/**
 * Masks a request URI. A number may be hidden from plain text by percent-encoding (`%34` is "4") or by separators that
 * a query encodes (`+` and `%20` are spaces), so the decoded text is masked too and what changed there is overwritten
 * here: a digit by `*`, an escaped digit by `%2A`.
 *
 * @param maskText Overwrites in place: its result has the length of its argument.
 */
export function maskRequestURI(requestURI: string, maskText: (text: string) => string): string {
  const encoded = requestURI.includes('%') || requestURI.includes('+');
  // The decoded text first: the digits of an escape are none of a number's.
  return maskText(encoded ? maskDecoded(requestURI, maskText) : requestURI);
}

function maskDecoded(uri: string, maskText: (text: string) => string): string {
  let decoded = '';
  const startOf: number[] = [];
  for (let i = 0; i < uri.length; ) {
    startOf.push(i);
    const code = uri.charCodeAt(i);
    if (code === 37) {
      const high = hexValue(uri.charCodeAt(i + 1));
      const low = hexValue(uri.charCodeAt(i + 2));
      if (high >= 0 && low >= 0) {
        decoded += String.fromCharCode(high * 16 + low);
        i += 3;
        continue;
      }
    }
    decoded += code === 43 ? ' ' : uri.charAt(i);
    i += 1;
  }
  startOf.push(uri.length);

  const masked = maskText(decoded);
  if (masked === decoded) return uri;
  // A mask that moved characters cannot be carried back: the record keeps the masked text rather than the address.
  if (masked.length !== decoded.length) return encodeURI(masked.toWellFormed());
  let result = '';
  for (let i = 0; i < masked.length; i++) {
    const source = uri.slice(startOf[i], startOf[i + 1]);
    if (masked[i] === decoded[i]) result += source;
    else result += source.length === 1 ? masked.charAt(i) : encodeByte(masked.charCodeAt(i));
  }
  return result;
}

function encodeByte(code: number): string {
  return `%${(code & 0xff).toString(16).toUpperCase().padStart(2, '0')}`;
}
