import {ChunkEdits} from './chunkedits.ts';
import {MaskError} from './error.ts';
import {BASE64, EMBEDDED, FieldEditor, MASK, REMOVE} from './fieldeditor.ts';
import {EmbeddedObject} from './fieldembedded.ts';
import type {FindingLog} from './findinglog.ts';
import {type MarkedPath, placeOfDocuments} from './jsonplace.ts';
import {JsonStream} from './jsonstream.ts';
import type {Masker} from './masker.ts';
import type {FieldPath, FieldPlan} from './plan.ts';

/** Where `kubectl apply` keeps a copy of the whole object as JSON. */
export const LAST_APPLIED: FieldPath = ['metadata', 'annotations', 'kubectl.kubernetes.io/last-applied-configuration'];

const NO_BYTES = Buffer.alloc(0);

/**
 * Hides members of the objects in a stream of JSON, whatever they hold, and of the copies of these objects that
 * `kubectl apply` keeps as JSON in an annotation. Objects come by themselves, in lists, in watch events, and in the rows
 * of tables; the cells of tables are left as they are, as nobody but the API server knows which member they show.
 *
 * Masked is every string, number, true and false in the member, at equal length: strings become asterisks, base64 in
 * Secrets becomes the base64 of asterisks, numbers become strings of asterisks (of one digit: 0), true and false become
 * null. What is removed is left out with its name and its comma, and the stream gets shorter.
 *
 * Nothing is held back but what cannot be decided upon: an escape or a number that is incomplete, up to 1 KiB; the name
 * of a member that may be removed, up to 64 KiB.
 */
export class FieldMasker implements Masker {
  /** Members that were hidden, those of copies included. */
  readonly counts = {PAN: 0, Field: 0};
  readonly #output = new ChunkEdits();
  readonly #editor: FieldEditor;
  readonly #stream: JsonStream;
  /** What comes again with the next bytes. */
  #carried: Buffer = NO_BYTES;
  #isBusy = false;
  /** The place in the stream of what comes next. */
  #offset = 0;

  /** @param fields of one resource; where both actions are asked for the same member, it is removed */
  constructor(fields: readonly FieldPlan[], {isSecret}: {readonly isSecret: boolean}, log?: FindingLog) {
    const paths: MarkedPath[] = fields.map(({path, action}) => ({path, marks: action === 'Mask' ? MASK : REMOVE}));
    if (isSecret) paths.push({path: ['data', '*'], marks: BASE64});
    const root = placeOfDocuments([
      ...paths,
      {path: ['binaryData', '*'], marks: BASE64},
      {path: LAST_APPLIED, marks: EMBEDDED},
    ]);
    const tally = {
      count: () => {
        this.counts.Field++;
      },
      offsetOf: (index: number) => this.#offset + index,
      log,
    };
    this.#editor = new FieldEditor(this.#output, tally, new EmbeddedObject(this.#output, root, tally));
    this.#stream = new JsonStream(root, this.#editor);
  }

  get heldBytes(): number {
    return this.#carried.length + this.#editor.bytesHeld;
  }

  /** As `Masker` says, but that what is emitted may be shorter. @throws {MaskError} for what is no JSON */
  push(chunk: Buffer, emit: (bytes: Buffer) => void): void {
    this.#advance(this.#carried.length === 0 ? chunk : Buffer.concat([this.#carried, chunk]), false, emit);
  }

  /** JSON stays held: it has no place for half a mask. */
  flush(): void {}

  end(emit: (bytes: Buffer) => void): void {
    this.#advance(this.#carried, true, emit);
    this.#offset = 0;
  }

  #advance(bytes: Buffer, final: boolean, emit: (bytes: Buffer) => void): void {
    if (this.#isBusy) throw new MaskError('UsedAfterFailure', 'masking failed on this stream before');
    this.#isBusy = true;
    this.#output.open(bytes);
    const taken = this.#stream.push(bytes, final);
    this.#editor.suspend(taken);
    this.#offset += taken;
    const pieces = this.#output.close(taken);
    this.#carried = taken === bytes.length ? NO_BYTES : Buffer.from(bytes.subarray(taken));
    for (const piece of pieces) emit(piece);
    this.#isBusy = false;
  }
}
