import {isInt64} from './query.ts';

interface Token {
  readonly kind: 'identifier' | 'in' | 'notin' | 'symbol' | 'end';
  readonly text: string;
}

/** Whether apimachinery's `labels.Parse` takes the selector. What it selects is the API server's concern. */
export function isLabelSelector(selector: string): boolean {
  return new Parser(tokenize(selector)).selector();
}

/** Recursive descent over the tokens, rule by rule as `labels.Parser`; each method gives false for a syntax error. */
class Parser {
  readonly #tokens: readonly Token[];
  #position = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  selector(): boolean {
    if (this.#peek().kind === 'end') return true;
    for (;;) {
      if (!this.#requirement()) return false;
      const separator = this.#next();
      if (separator.kind === 'end') return true;
      if (!isSymbol(separator, ',')) return false;
    }
  }

  #requirement(): boolean {
    let key = this.#next();
    const negated = isSymbol(key, '!');
    if (negated) key = this.#next();
    if (!isIdentifier(key) || !isLabelKey(key.text)) return false;
    if (negated || this.#atRequirementEnd()) return true;
    const operator = this.#next();
    if (operator.kind === 'in' || operator.kind === 'notin') return this.#values();
    if (operator.kind !== 'symbol') return false;
    switch (operator.text) {
      case '=':
      case '==':
      case '!=':
        return this.#exactValue(isLabelValue);
      case '>':
      case '<':
        return this.#exactValue((value) => isLabelValue(value) && isInt64(value));
      default:
        return false;
    }
  }

  #exactValue(accepts: (value: string) => boolean): boolean {
    if (this.#atRequirementEnd()) return accepts('');
    const value = this.#next();
    return isIdentifier(value) && accepts(value.text);
  }

  /** `(a,b)`; empty values are fine everywhere. */
  #values(): boolean {
    if (!isSymbol(this.#next(), '(')) return false;
    for (;;) {
      let token = this.#next();
      if (isIdentifier(token)) {
        if (!isLabelValue(token.text)) return false;
        token = this.#next();
      }
      if (isSymbol(token, ')')) return true;
      if (!isSymbol(token, ',')) return false;
    }
  }

  #atRequirementEnd(): boolean {
    const token = this.#peek();
    return token.kind === 'end' || isSymbol(token, ',');
  }

  #peek(): Token {
    return this.#tokens[this.#position] ?? end;
  }

  #next(): Token {
    const token = this.#peek();
    this.#position++;
    return token;
  }
}

const end: Token = {kind: 'end', text: ''};
const symbols: ReadonlySet<string> = new Set([')', ',', '!', '==', '=', '>', '<', '!=', '(']);
const symbolCharacters = '=!(),><';
const whitespace = ' \t\r\n';

function tokenize(selector: string): readonly Token[] {
  const tokens: Token[] = [];
  let at = 0;
  for (;;) {
    while (at < selector.length && whitespace.includes(selector[at] ?? '')) at++;
    if (at >= selector.length) return tokens;
    const start = at;
    if (symbolCharacters.includes(selector[at] ?? '')) {
      // The longest symbol; no symbol has more than two characters, and every character that begins one is one.
      at += symbols.has(selector.slice(at, at + 2)) && selector.length > at + 1 ? 2 : 1;
      tokens.push({kind: 'symbol', text: selector.slice(start, at)});
      continue;
    }
    while (at < selector.length && !symbolCharacters.includes(selector[at] ?? '') && !isWhitespace(selector[at])) at++;
    const text = selector.slice(start, at);
    tokens.push({kind: text === 'in' || text === 'notin' ? text : 'identifier', text});
  }
}

function isWhitespace(character: string | undefined): boolean {
  return character !== undefined && whitespace.includes(character);
}

/** "in" and "notin" are operators only where an operator stands. */
function isIdentifier(token: Token): boolean {
  return token.kind === 'identifier' || token.kind === 'in' || token.kind === 'notin';
}

function isSymbol(token: Token, text: string): boolean {
  return token.kind === 'symbol' && token.text === text;
}

const name = /^[A-Za-z0-9](?:[-A-Za-z0-9_.]*[A-Za-z0-9])?$/;
const subdomain = /^[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*$/;

function isLabelValue(value: string): boolean {
  return value === '' || (value.length <= 63 && name.test(value));
}

function isLabelKey(key: string): boolean {
  const slash = key.indexOf('/');
  const label = key.slice(slash + 1);
  if (label.length > 63 || !name.test(label)) return false;
  const prefix = key.slice(0, slash);
  return slash === -1 || (prefix.length <= 253 && subdomain.test(prefix));
}
