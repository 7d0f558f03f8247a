import {isGzip, unpacked} from './gzip.ts';

/** Of base64 that says nothing of itself. */
const BASE64_MINIMUM_CHARACTERS = 16;
const base64 = /^[A-Za-z0-9+/]+={0,2}$/;

export function isBase64(text: string, minimumCharacters = BASE64_MINIMUM_CHARACTERS): boolean {
  return text.length >= minimumCharacters && text.length % 4 === 0 && base64.test(text);
}

/**
 * What base64 holds that maskers look into: text; what base64 in its place holds; and of gzip all names and strings, if
 * it is JSON. Of gzip that is larger than maskers unpack there is nothing, as they hide it whole.
 */
export function textsIn(encoded: string): readonly string[] {
  const bytes = Buffer.from(encoded, 'base64');
  if (isGzip(bytes)) return packedTexts(bytes);
  const text = bytes.toString();
  if (!isBase64(text)) return [text];
  const inner = Buffer.from(text, 'base64');
  return [text, ...(isGzip(inner) ? packedTexts(inner) : [inner.toString()])];
}

function packedTexts(packed: Buffer): readonly string[] {
  const read = unpacked(packed);
  if (read.kind === 'tooLarge') return [];
  const text = read.text.toString();
  try {
    return stringsOf(JSON.parse(text)).flatMap((each) =>
      isBase64(each) ? [each, Buffer.from(each, 'base64').toString()] : [each],
    );
  } catch {
    return [text];
  }
}

function stringsOf(value: unknown): string[] {
  const strings: string[] = [];
  for (const open = [value]; open.length > 0; ) {
    const each = open.pop();
    if (typeof each === 'string') strings.push(each);
    else if (Array.isArray(each)) for (const element of each) open.push(element);
    else if (typeof each === 'object' && each !== null) {
      for (const [name, member] of Object.entries(each)) {
        strings.push(name);
        open.push(member);
      }
    }
  }
  return strings;
}
