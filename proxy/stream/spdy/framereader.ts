import {SpdyError} from './error.ts';
import {type ControlFrame, flag, frameHeaderBytes, frameType, maximumControlBytes, parseControl} from './frames.ts';

export interface FrameHandler {
  control(frame: ControlFrame): void;
  /** A part of a data frame, which is the handler's from here on; `fin` with the last part of a frame that has it. */
  data(streamId: number, bytes: Buffer, fin: boolean): void;
}

const knownTypes: ReadonlySet<number> = new Set(Object.values(frameType));

/** What the bytes in hand belong to. */
type State =
  | {readonly part: 'Header'}
  | {readonly part: 'Control'; readonly type: number; readonly flags: number; readonly length: number}
  | {readonly part: 'Data'; readonly streamId: number; readonly fin: boolean; remaining: number}
  | {readonly part: 'Unknown'; remaining: number};

/**
 * Reads frames from bytes that come in pieces of any size. Data passes through uncopied as it comes; of a control frame
 * at most `maximumControlBytes` are held. Throws a SpdyError on what cannot be read, and must not be used after it.
 */
export class FrameReader {
  readonly #handler: FrameHandler;
  #state: State = {part: 'Header'};
  /** Of a header or a control frame that the last piece cut. */
  #gathered = Buffer.alloc(0);
  #gatheredBytes = 0;

  constructor(handler: FrameHandler) {
    this.#handler = handler;
  }

  push(chunk: Buffer): void {
    let rest: Buffer | undefined = chunk;
    while (rest !== undefined && rest.length > 0) rest = this.#step(rest);
  }

  /** Takes what it can use of the bytes and gives the rest; undefined where it waits for more. */
  #step(bytes: Buffer): Buffer | undefined {
    const state = this.#state;
    switch (state.part) {
      case 'Header': {
        const taken = this.#take(bytes, frameHeaderBytes);
        if (taken === undefined) return undefined;
        this.#begin(taken.whole);
        return taken.rest;
      }
      case 'Control': {
        const taken = this.#take(bytes, state.length);
        if (taken === undefined) return undefined;
        this.#state = {part: 'Header'};
        this.#control(state.type, state.flags, taken.whole);
        return taken.rest;
      }
      case 'Data': {
        const part = bytes.subarray(0, state.remaining);
        state.remaining -= part.length;
        const isLast = state.remaining === 0;
        if (isLast) this.#state = {part: 'Header'};
        this.#handler.data(state.streamId, part, isLast && state.fin);
        return bytes.subarray(part.length);
      }
      case 'Unknown': {
        const skipped = Math.min(bytes.length, state.remaining);
        state.remaining -= skipped;
        if (state.remaining === 0) this.#state = {part: 'Header'};
        return bytes.subarray(skipped);
      }
    }
  }

  #begin(header: Buffer): void {
    const [flags, length] = [header.readUInt8(4), header.readUIntBE(5, 3)];
    const first = header.readUInt32BE(0);
    if (first < 2 ** 31) {
      if (first === 0) throw new SpdyError('Malformed', 'data for stream 0');
      const fin = (flags & flag.fin) !== 0;
      // Without a payload nothing else would come to end it.
      if (length === 0) this.#handler.data(first, Buffer.alloc(0), fin);
      else this.#state = {part: 'Data', streamId: first, fin, remaining: length};
      return;
    }
    const [version, type] = [header.readUInt16BE(0) & 0x7fff, header.readUInt16BE(2)];
    if (version !== 3) throw new SpdyError('Malformed', `a frame of SPDY version ${version}`);
    if (!knownTypes.has(type)) {
      if (length > 0) this.#state = {part: 'Unknown', remaining: length};
    } else if (length > maximumControlBytes) {
      throw new SpdyError('TooLarge', `a control frame of ${length} bytes`);
    } else if (length === 0) {
      this.#control(type, flags, Buffer.alloc(0));
    } else {
      this.#state = {part: 'Control', type, flags, length};
    }
  }

  #control(type: number, flags: number, payload: Buffer): void {
    const frame = parseControl(type, flags, payload);
    if (frame !== undefined) this.#handler.control(frame);
  }

  /** The next `length` bytes, gathered over as many pieces as they come in. */
  #take(bytes: Buffer, length: number): {whole: Buffer; rest: Buffer} | undefined {
    if (this.#gatheredBytes === 0 && bytes.length >= length) {
      return {whole: bytes.subarray(0, length), rest: bytes.subarray(length)};
    }
    if (this.#gatheredBytes === 0) this.#gathered = Buffer.allocUnsafe(length);
    const copied = bytes.copy(this.#gathered, this.#gatheredBytes);
    this.#gatheredBytes += copied;
    if (this.#gatheredBytes < length) return undefined;
    this.#gatheredBytes = 0;
    return {whole: this.#gathered, rest: bytes.subarray(copied)};
  }
}
