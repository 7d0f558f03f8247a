/**
 * The name that a field selector pins with `metadata.name=X` or `==X`: "" where it pins none, undefined where the
 * selector does not parse. The rules are those of apimachinery's `fields.ParseSelector` and `RequiresExactMatch`.
 */
export function exactName(selector: string): string | undefined {
  let name = '';
  let nameTerm: string | undefined;
  for (const term of splitTerms(selector)) {
    if (term === '') continue;
    const operator = splitTerm(term);
    if (operator === undefined) return undefined;
    const value = unescapeValue(operator.value);
    if (value === undefined) return undefined;
    if (operator.negated || operator.field !== 'metadata.name') continue;
    // Terms are sorted before they are searched, so of two names the lesser term's counts.
    if (nameTerm === undefined || comesBefore(term, nameTerm)) {
      nameTerm = term;
      name = value;
    }
  }
  return isPathSegmentName(name) ? name : '';
}

/** Splits at commas that no backslash escapes; escapes stay as they are. */
function splitTerms(selector: string): readonly string[] {
  if (!selector.includes(',')) return [selector];
  const terms: string[] = [];
  let start = 0;
  let escaped = false;
  for (let at = 0; at < selector.length; at++) {
    const character = selector[at];
    if (escaped) escaped = false;
    else if (character === '\\') escaped = true;
    else if (character === ',') {
      terms.push(selector.slice(start, at));
      start = at + 1;
    }
  }
  terms.push(selector.slice(start));
  return terms;
}

/** The first "!=", "==" or "=" is the operator; the field before it knows no escapes. */
function splitTerm(term: string): {field: string; negated: boolean; value: string} | undefined {
  for (let at = 0; at < term.length; at++) {
    if (term.startsWith('!=', at)) return {field: term.slice(0, at), negated: true, value: term.slice(at + 2)};
    if (term.startsWith('==', at)) return {field: term.slice(0, at), negated: false, value: term.slice(at + 2)};
    if (term.startsWith('=', at)) return {field: term.slice(0, at), negated: false, value: term.slice(at + 1)};
  }
  return undefined;
}

/** Takes the backslashes from `\\`, `\,` and `\=`; any other escape and a bare "," or "=" are errors. */
function unescapeValue(value: string): string | undefined {
  let unescaped = '';
  let escaped = false;
  for (const character of value) {
    const special = character === '\\' || character === ',' || character === '=';
    if (escaped) {
      if (!special) return undefined;
      unescaped += character;
      escaped = false;
    } else if (character === '\\') escaped = true;
    else if (special) return undefined;
    else unescaped += character;
  }
  return escaped ? undefined : unescaped;
}

/** Byte order of the UTF-8 text, as Go sorts; JavaScript's own order differs past U+FFFF. */
function comesBefore(left: string, right: string): boolean {
  return Buffer.compare(Buffer.from(left), Buffer.from(right)) < 0;
}

function isPathSegmentName(name: string): boolean {
  return name !== '.' && name !== '..' && !name.includes('/') && !name.includes('%');
}
