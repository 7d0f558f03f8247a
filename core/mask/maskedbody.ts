import {isBase64, textsIn} from './encodedtext.ts';
import {LAST_APPLIED} from './fieldmasker.ts';
import {type MarkedPath, type Place, placeOfDocuments} from './jsonplace.ts';
import {holdsMask, isAsterisks, type MaskTraces} from './maskedtext.ts';
import type {Detector, FieldPath, MaskPlan} from './plan.ts';

/** What a write does with its body. An apply, as an update, says all that its sender wants to be there. */
export type WriteKind = 'create' | 'update' | 'apply' | 'patch' | 'jsonPatch';

/** A place where a write would put what masking made of the data, or delete what masking left out. */
export interface WrittenBack {
  /** Such as `data.card` or `spec.containers[0].env[1].value`. */
  readonly field: string;
  readonly holds: 'Mask' | 'Nothing';
}

export interface Written {
  readonly kind: WriteKind;
  /** As `parseJSON` gives it. */
  readonly value: unknown;
  readonly plan: MaskPlan;
  readonly isSecret: boolean;
}

/** Fields beyond which no more are named. */
const MAXIMUM_FIELDS = 10;

const DETECTORS: readonly Detector[] = ['PAN', 'TrackData', 'CardVerificationCode', 'Regex'];
const FIELD = 16;
const BASE64 = 32;
const IGNORED = 64;

/**
 * Finds where a write would destroy what the agent was not shown: strings that maskers made, in names, in base64 and in
 * gzip within that as well, and in members that a path hides also what stands there for short numbers and truth.
 *
 * The copy that `kubectl apply` keeps in an annotation does not count: it holds no data that is not in the object, and
 * every apply sends it.
 */
export function writtenBack(written: Written): readonly WrittenBack[] {
  const search = new Search(written);
  const {kind, value, plan} = written;
  if (kind === 'jsonPatch') search.operations(value);
  else search.value(value, search.root, 0, []);
  if (kind === 'update') {
    for (const {path, action} of plan.fields) {
      // The API server keeps managedFields itself.
      if (action === 'Remove' && path[1] !== 'managedFields' && !isThere(value, path)) search.add(path, 'Nothing');
    }
  }
  return search.found;
}

/**
 * The same for a body that cannot be read as an object, YAML or protobuf: whether any line or word of it is such a
 * string. Comments do not count.
 */
export function holdsMaskedWord(text: string, {plan, isSecret}: Pick<Written, 'plan' | 'isSecret'>): boolean {
  const traces = tracesOf(plan, 0);
  const decodes = isSecret || plan.decodeBase64;
  return text
    .split('\n')
    .filter((line) => !/^[\s*/]*(#|$)/.test(line))
    .some(
      (line) =>
        holdsMask(line, traces) ||
        line
          .split(/[^A-Za-z0-9+/=*]+/)
          .some(
            (word) =>
              isAsterisks(word, 3) ||
              (decodes && isBase64(word) && textsIn(word).some((text) => holdsMask(text, traces))),
          ),
    );
}

class Search {
  readonly found: WrittenBack[] = [];
  readonly root: Place;
  readonly #plan: MaskPlan;
  /** Whether the body says all that is to be there, so that what masking made of a value would be the new one. */
  readonly #isWhole: boolean;

  constructor({plan, kind, isSecret}: Written) {
    const {fields, exemptFields} = plan;
    const paths: MarkedPath[] = [
      {path: LAST_APPLIED, marks: IGNORED},
      {path: ['binaryData', '*'], marks: BASE64},
      ...exemptFields.map(({path, detectors}) => ({path, marks: bitsOf(detectors)})),
      ...fields.flatMap(({path, action}) => (action === 'Mask' ? [{path, marks: FIELD}] : [])),
    ];
    if (isSecret) paths.push({path: ['data', '*'], marks: BASE64});
    this.root = placeOfDocuments(paths);
    this.#plan = plan;
    this.#isWhole = kind === 'update' || kind === 'apply';
  }

  /**
   * @param marks of all that is around
   * @param way names and indices down to here
   */
  value(value: unknown, place: Place, around: number, way: readonly (string | number)[]): void {
    const marks = around | place.marks;
    if ((marks & IGNORED) !== 0 || this.found.length >= MAXIMUM_FIELDS) return;
    if (Array.isArray(value)) {
      for (const [index, element] of value.entries()) this.value(element, place.other, marks, [...way, index]);
    } else if (typeof value === 'object' && value !== null) {
      for (const [name, member] of Object.entries(value)) {
        if (holdsMask(name, tracesOf(this.#plan, marks))) this.add([...way, name], 'Mask');
        else this.value(member, memberOf(place, name), marks, [...way, name]);
      }
    } else if (this.#isMasked(value, marks)) this.add(way, 'Mask');
  }

  /** A JSON patch (RFC 6902): what it adds and replaces, and where. */
  operations(patch: unknown): void {
    if (!Array.isArray(patch)) return;
    for (const operation of patch) {
      if (typeof operation !== 'object' || operation === null) continue;
      const {op, path, value} = operation as Readonly<Record<string, unknown>>;
      if ((op !== 'add' && op !== 'replace') || typeof path !== 'string') continue;
      const way = path
        .split('/')
        .slice(1)
        .map((name) => name.replaceAll('~1', '/').replaceAll('~0', '~'));
      let place = this.root;
      let marks = place.marks;
      for (const name of way) {
        place = memberOf(place, name);
        marks |= place.marks;
      }
      this.value(value, place, marks, way);
    }
  }

  add(way: readonly (string | number)[], holds: WrittenBack['holds']): void {
    this.found.push({field: fieldOf(way), holds});
  }

  #isMasked(value: unknown, marks: number): boolean {
    const isHidden = (marks & FIELD) !== 0;
    if (typeof value !== 'string') {
      // A short number is shown as 0, and true and false as null; a patch may well set them to that.
      return isHidden && this.#isWhole && (value === 0 || value === null);
    }
    const traces = tracesOf(this.#plan, marks);
    if (holdsMask(value, traces) || (isHidden && isAsterisks(value, 1))) return true;
    const isKnownBase64 = (marks & BASE64) !== 0;
    if (!isKnownBase64 && !this.#plan.decodeBase64) return false;
    if (!isBase64(value, isKnownBase64 ? 1 : undefined)) return false;
    return textsIn(value).some((text) => holdsMask(text, traces) || (isHidden && isAsterisks(text, 1)));
  }
}

function memberOf(place: Place, name: string): Place {
  if (!place.hasNames) return place.other;
  const bytes = Buffer.from(name);
  return place.member(bytes, 0, bytes.length);
}

function bitsOf(detectors: readonly Detector[]): number {
  return detectors.reduce((bits, detector) => bits | (1 << DETECTORS.indexOf(detector)), 0);
}

/** @param marks the detectors that do not look here are among them */
function tracesOf({pan, trackData, cardVerificationCode, regexes}: MaskPlan, marks: number): MaskTraces {
  const looks = (detector: Detector) => (marks & bitsOf([detector])) === 0;
  const hasPan = pan !== undefined && looks('PAN');
  return {
    pan: hasPan,
    panWithoutDigits: hasPan && pan.show === 'None',
    panInLongRuns: hasPan && pan.longDigitRuns,
    runs: (trackData && looks('TrackData')) || (regexes.length > 0 && looks('Regex')),
    cardVerificationCode: cardVerificationCode && looks('CardVerificationCode'),
  };
}

/** Whether the path leads anywhere. */
function isThere(value: unknown, [name, ...rest]: FieldPath): boolean {
  if (name === undefined) return true;
  if (typeof value !== 'object' || value === null) return false;
  if (name === '*') return Object.values(value).some((member) => isThere(member, rest));
  return !Array.isArray(value) && Object.hasOwn(value, name) && isThere((value as Record<string, unknown>)[name], rest);
}

/** Long names are cut: they go into an answer, and may be as long as the body. */
function fieldOf(way: readonly (string | number)[]): string {
  let text = '';
  for (const step of way.slice(0, 20)) {
    if (typeof step === 'number' || step === '*') text += `[${step}]`;
    else if (/^[A-Za-z0-9_-]+$/.test(step)) text += `${text === '' ? '' : '.'}${step.slice(0, 64)}`;
    else text += `[${JSON.stringify(step.slice(0, 64))}]`;
  }
  return way.length > 20 ? `${text}…` : text;
}
