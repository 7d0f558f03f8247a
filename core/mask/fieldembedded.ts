import type {ChunkEdits} from './chunkedits.ts';
import {MaskError} from './error.ts';
import {type EmbeddedText, FieldEditor, type FieldTally} from './fieldeditor.ts';
import type {Place} from './jsonplace.ts';
import {JsonStream} from './jsonstream.ts';
import {unescaped} from './jsontext.ts';

/**
 * An object as JSON in a string of the JSON at hand, as `kubectl apply` keeps it in an annotation: the same members are
 * hidden as in the object itself. Whoever writes annotations can write what is no JSON. That is no reason to refuse the
 * answer: it is hidden from there on.
 */
export class EmbeddedObject implements EmbeddedText {
  readonly #output: ChunkEdits;
  readonly #root: Place;
  readonly #tally: FieldTally;
  #editor: FieldEditor;
  #stream: JsonStream;
  /** What becomes of the rest of the string. */
  #rest: 'edited' | 'hidden' | 'leftOut' = 'edited';

  constructor(output: ChunkEdits, root: Place, tally: FieldTally) {
    this.#output = output;
    this.#root = root;
    this.#tally = tally;
    this.#editor = new FieldEditor(output, tally);
    this.#stream = new JsonStream(root, this.#editor);
  }

  get bytesHeld(): number {
    return this.#editor.bytesHeld;
  }

  edit(from: number, to: number, isLast: boolean): number {
    let taken = to;
    if (this.#rest === 'edited') taken = this.#editText(from, to, isLast);
    else if (this.#rest === 'hidden') this.#output.hide(from, to);
    if (isLast) this.#reset(to);
    return taken;
  }

  suspend(end: number): void {
    try {
      if (this.#rest === 'edited') this.#editor.suspend(end);
    } catch (error) {
      this.#fail(error, end);
    }
  }

  #editText(from: number, to: number, isLast: boolean): number {
    const {bytes, indexOf} = unescaped(this.#output.bytes, from, to);
    this.#editor.rawIndex = indexOf;
    try {
      return indexOf(this.#stream.push(bytes, isLast));
    } catch (error) {
      const failedAt = indexOf(this.#stream.failedAt);
      this.#fail(error, failedAt);
      if (this.#rest === 'hidden') this.#output.hide(failedAt, to);
      return to;
    }
  }

  #fail(error: unknown, at: number): void {
    if (!(error instanceof MaskError)) throw error;
    // What has grown too long is left out already, up to where it is decided.
    this.#rest = error.code === 'HoldTooLarge' ? 'leftOut' : 'hidden';
    this.#editor.endAll(at);
    if (this.#rest === 'hidden' && this.#output.isCut) this.#output.resume(at);
  }

  #reset(at: number): void {
    if (this.#rest === 'leftOut') this.#output.resume(at);
    if (this.#rest === 'edited') return;
    this.#rest = 'edited';
    this.#editor = new FieldEditor(this.#output, this.#tally);
    this.#stream = new JsonStream(this.#root, this.#editor);
  }
}
