/** Where and why a JSON text was refused. */
export class JSONTextError extends Error {
  override readonly name = 'JSONTextError';
  readonly code: 'Syntax' | 'DuplicateKey' | 'TooDeep' | 'LoneSurrogate' | 'NumberOutOfRange';

  constructor(code: JSONTextError['code'], message: string) {
    super(message);
    this.code = code;
  }
}

export interface JSONText {
  /**
   * As JSON.parse would give it, except for integers that a double cannot hold but an int64 can: those are bigint, so
   * that policy compares what the API server stores. (JSON.stringify refuses bigint; `canonical` is for writing.)
   */
  readonly value: unknown;
  /** The same text with keys sorted by UTF-16 code unit, no white space, and every number token as it was written. */
  readonly canonical: string;
}

/**
 * Reads JSON strictly (RFC 8259), refusing what Go and JavaScript read differently: duplicate keys, lone surrogates,
 * numbers that no double holds, and nesting past the bound.
 *
 * @throws {JSONTextError} naming the place, as a path such as `spec.containers[0].image`
 */
export function parseJSON(text: string, maximumDepth: number): JSONText {
  return new Reader(text, maximumDepth).document();
}

const numberToken = /-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?/y;

class Reader {
  readonly #text: string;
  readonly #maximumDepth: number;
  /** Keys and indices from the root to where the reader stands. */
  readonly #path: (string | number)[] = [];
  #at = 0;

  constructor(text: string, maximumDepth: number) {
    this.#text = text;
    this.#maximumDepth = maximumDepth;
  }

  document(): JSONText {
    this.#skipWhitespace();
    const document = this.#value();
    this.#skipWhitespace();
    if (this.#at !== this.#text.length) throw this.#syntax('text after the end of the value');
    return document;
  }

  #value(): JSONText {
    switch (this.#text[this.#at]) {
      case '{':
        return this.#object();
      case '[':
        return this.#array();
      case '"':
        return this.#string();
      case 't':
        return this.#literal('true', true);
      case 'f':
        return this.#literal('false', false);
      case 'n':
        return this.#literal('null', null);
      default:
        return this.#number();
    }
  }

  #object(): JSONText {
    const members = new Map<string, JSONText>();
    this.#descend();
    if (!this.#take('}')) {
      do {
        this.#skipWhitespace();
        if (this.#text[this.#at] !== '"') throw this.#syntax('a key in double quotes is expected');
        const key = this.#string().value;
        this.#path.push(key);
        if (members.has(key))
          throw this.#error('DuplicateKey', 'the key is there twice; Go and others keep different ones');
        if (!this.#take(':')) throw this.#syntax('":" is expected');
        this.#skipWhitespace();
        members.set(key, this.#value());
        this.#path.pop();
      } while (this.#take(','));
      if (!this.#take('}')) throw this.#syntax('"," or "}" is expected');
    }
    return objectOf(members);
  }

  #array(): JSONText {
    const values: unknown[] = [];
    const canonical: string[] = [];
    this.#descend();
    if (!this.#take(']')) {
      do {
        this.#path.push(values.length);
        this.#skipWhitespace();
        const element = this.#value();
        values.push(element.value);
        canonical.push(element.canonical);
        this.#path.pop();
      } while (this.#take(','));
      if (!this.#take(']')) throw this.#syntax('"," or "]" is expected');
    }
    return {value: values, canonical: `[${canonical.join(',')}]`};
  }

  #descend(): void {
    if (this.#path.length >= this.#maximumDepth) {
      throw this.#error('TooDeep', `nested more than ${this.#maximumDepth} deep`);
    }
    this.#at++;
    this.#skipWhitespace();
  }

  /** `canonical` is the token itself where nothing is escaped, which saves two copies of nearly every string. */
  #string(): {value: string; canonical: string} {
    const token = this.#stringToken();
    if (!token.includes('\\')) {
      this.#at += token.length;
      return {value: token.slice(1, -1), canonical: token};
    }
    let value: string;
    try {
      value = JSON.parse(token) as string;
    } catch {
      throw this.#syntax('a string with a bad escape');
    }
    if (!value.isWellFormed()) throw this.#error('LoneSurrogate', 'a string holds half of a surrogate pair');
    this.#at += token.length;
    return {value, canonical: JSON.stringify(value)};
  }

  /** A loop, as a regular expression runs out of stack on strings of megabytes. */
  #stringToken(): string {
    for (let at = this.#at + 1; at < this.#text.length; at++) {
      const code = this.#text.charCodeAt(at);
      if (code === 0x22) return this.#text.slice(this.#at, at + 1);
      if (code < 0x20) throw this.#syntax('a string with a control character that is not escaped');
      if (code === 0x5c) at++;
    }
    throw this.#syntax('a string that is not closed');
  }

  #number(): JSONText {
    numberToken.lastIndex = this.#at;
    const match = numberToken.exec(this.#text);
    if (match === null) throw this.#syntax('a value is expected');
    const canonical = match[0];
    const value = Number(canonical);
    if (!Number.isFinite(value)) throw this.#error('NumberOutOfRange', 'a number is too large for a double');
    this.#at += canonical.length;
    const isInteger = match[1] === undefined && match[2] === undefined;
    if (!isInteger || Number.isSafeInteger(value)) return {value, canonical};
    const exact = BigInt(canonical);
    // Past int64 the API server reads a double as well.
    return {value: exact === BigInt.asIntN(64, exact) ? exact : value, canonical};
  }

  #literal(token: string, value: unknown): JSONText {
    if (!this.#text.startsWith(token, this.#at)) throw this.#syntax('a value is expected');
    this.#at += token.length;
    return {value, canonical: token};
  }

  #take(character: string): boolean {
    this.#skipWhitespace();
    if (this.#text[this.#at] !== character) return false;
    this.#at++;
    return true;
  }

  #skipWhitespace(): void {
    for (;;) {
      const code = this.#text.charCodeAt(this.#at);
      if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return;
      this.#at++;
    }
  }

  #syntax(problem: string): JSONTextError {
    return this.#error('Syntax', `${problem}, at character ${this.#at}`);
  }

  #error(code: JSONTextError['code'], problem: string): JSONTextError {
    return new JSONTextError(code, `${pathText(this.#path)}: ${problem}`);
  }
}

function objectOf(members: ReadonlyMap<string, JSONText>): JSONText {
  const value: Record<string, unknown> = {};
  for (const [key, member] of members) {
    if (key === '__proto__') {
      // Plain assignment would set the prototype.
      Object.defineProperty(value, key, {value: member.value, enumerable: true, writable: true, configurable: true});
    } else {
      value[key] = member.value;
    }
  }
  const canonical: string[] = [];
  for (const key of [...members.keys()].sort()) {
    canonical.push(`${JSON.stringify(key)}:${members.get(key)?.canonical}`);
  }
  return {value, canonical: `{${canonical.join(',')}}`};
}

/** Long keys are cut: the path goes into an answer, and a key may be as long as the body. */
function pathText(path: readonly (string | number)[]): string {
  if (path.length === 0) return 'the body';
  let text = '';
  for (const step of path.slice(0, 20)) {
    if (typeof step === 'number') text += `[${step}]`;
    else text += `${text === '' ? '' : '.'}${step.length > 64 ? `${step.slice(0, 64)}…` : step}`;
  }
  return path.length > 20 ? `${text}…` : text;
}
