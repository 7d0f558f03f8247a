/*
 * asciicast v2 (https://docs.asciinema.org/manual/asciicast/v2/): a header, then one event a line, in JSON.
 */

/** `o`: the command said it; `i`: it was sent to the command; `r`: the terminal was resized; `m`: a marker. */
export type EventCode = 'o' | 'i' | 'r' | 'm';

/** Of a terminal of unknown size, and where there is none. */
const unknownSize = {width: 80, height: 24} as const;

/** @param details ours, under a key of our own: players leave alone what they do not know */
export function asciicastHeader(startedAtMicroseconds: number, title: string, details: object): string {
  const timestamp = Math.floor(startedAtMicroseconds / 1e6);
  return `${JSON.stringify({version: 2, ...unknownSize, timestamp, title, lockkeeper: details})}\n`;
}

/** @param text U+FFFD stands for what is no UTF-8, as JSON has no other way to carry it */
export function asciicastEvent(seconds: string, code: EventCode, text: string): string {
  return `[${seconds}, "${code}", ${JSON.stringify(text)}]\n`;
}

/** The time of events: seconds since the start with six decimals, which never go back. */
export class ElapsedTime {
  readonly #startMicroseconds: number;
  readonly #now: () => number;
  #elapsed = 0;

  constructor(startMicroseconds: number, now: () => number) {
    this.#startMicroseconds = startMicroseconds;
    this.#now = now;
  }

  seconds(): string {
    this.#elapsed = Math.max(this.#elapsed, Math.floor(this.#now() - this.#startMicroseconds));
    const whole = Math.floor(this.#elapsed / 1e6);
    return `${whole}.${(this.#elapsed - whole * 1e6).toString().padStart(6, '0')}`;
  }
}

/** What the resize channel carries; kubectl ends each message with a newline. */
const resizeMaximumBytes = 1024;

/**
 * Reads a message of the resize channel: JSON with the members `Width` and `Height`, as remotecommand.TerminalSize has
 * them.
 *
 * @returns `COLUMNSxROWS`, undefined for what is no size: kubelet ignores that too.
 */
export function terminalSize(message: Buffer): string | undefined {
  if (message.length > resizeMaximumBytes) return undefined;
  let size: unknown;
  try {
    size = JSON.parse(message.toString());
  } catch {
    return undefined;
  }
  if (typeof size !== 'object' || size === null) return undefined;
  const {Width, Height} = size as Record<string, unknown>;
  return isSide(Width) && isSide(Height) ? `${Width}x${Height}` : undefined;
}

function isSide(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value > 0 && value <= 65535;
}
