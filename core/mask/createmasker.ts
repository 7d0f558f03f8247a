import {Base64Masker} from './base64masker.ts';
import {CardMasker, type CardMaskerOptions} from './cardmasker.ts';
import {mayHaveDigits} from './characters.ts';
import {CODE_MINIMUM_DIGITS} from './codemasker.ts';
import {foundIn} from './counts.ts';
import {ExemptPlaces} from './exemptplaces.ts';
import {FieldMasker} from './fieldmasker.ts';
import {FieldNames} from './fieldnames.ts';
import type {Finding, FindingLog} from './findinglog.ts';
import type {Masker, MaskMediaType} from './masker.ts';
import {countedFields, MaskLog} from './masklog.ts';
import type {FieldExemption, MaskPlan, RegexPlan} from './plan.ts';
import {RegexMasker} from './regexmasker.ts';
import {DEFAULT_PAN} from './show.ts';
import {type Stage, StagedMasker} from './stagedmasker.ts';
import {StreamView} from './streamview.ts';

export interface MaskerOptions {
  readonly mediaType: MaskMediaType;
  /** What is hidden; without one card numbers are, but for the last four digits, tracks and verification codes. */
  readonly plan?: MaskPlan;
  /**
   * Also look into words of base64 wherever they stand, as the values of a Secret's `data` are. In `binaryData` that is
   * done in any case.
   */
  readonly base64?: boolean;
  /**
   * Told of all that is hidden, not quite in the order of the stream. Offsets are of the bytes that came in, but where
   * members are removed before.
   */
  readonly onFinding?: (finding: Finding) => void;
}

/** What is hidden where no plan says otherwise, and nothing is left alone. */
const CARDS: Omit<MaskPlan, 'key'> = {
  pan: DEFAULT_PAN,
  trackData: true,
  cardVerificationCode: true,
  regexes: [],
  fields: [],
  decodeBase64: false,
  exemptFields: [],
};

/**
 * A masker for one stream of bytes in UTF-8.
 */
export function createMasker({mediaType, plan, base64 = false, onFinding}: MaskerOptions): Masker {
  const {fields, regexes, decodeBase64, exemptFields, ...cards} = plan ?? CARDS;
  const {pan, trackData: tracks, cardVerificationCode: codes} = cards;
  const stages = new Stages(mediaType, regexes, onFinding);
  // What is hidden whatever it holds comes first. Text has no members.
  if (fields.length > 0 && mediaType === 'json') {
    const log = stages.log(stages.view());
    stages.add(new FieldMasker(fields, {isSecret: base64}, log));
  }
  // Cards before patterns: of a card whose first digits a pattern has hidden, too many others would be shown.
  if (pan !== undefined || tracks || codes) {
    stages.addCards({pan, tracks, codes}, base64 || decodeBase64, exemptFields);
  }
  if (regexes.length > 0) {
    const exempt = exemptFields.filter(({detectors}) => detectors.includes('Regex')).map(({path}) => path);
    stages.add(new RegexMasker(mediaType, regexes, exempt, stages.log(stages.view())));
  }
  return stages.masker();
}

/** The detectors of one plan as they are put one behind the other. */
class Stages {
  readonly #mediaType: MaskMediaType;
  readonly #onFinding: ((finding: Finding) => void) | undefined;
  readonly #stages: Stage[] = [];
  #cards: Masker | undefined;
  readonly #logs: MaskLog[] = [];
  readonly #maskName: (name: string) => string;

  constructor(
    mediaType: MaskMediaType,
    regexes: readonly RegexPlan[],
    onFinding: ((finding: Finding) => void) | undefined,
  ) {
    this.#mediaType = mediaType;
    this.#onFinding = onFinding;
    this.#maskName = nameMasker(regexes);
  }

  add(stage: Stage): void {
    this.#stages.push(stage);
  }

  addCards(options: CardMaskerOptions, base64: boolean, exemptions: readonly FieldExemption[]): void {
    const detectors = exemptions.some(({detectors}) => detectors.some((detector) => detector !== 'Regex'));
    const exempt =
      detectors && this.#mediaType === 'json'
        ? new ExemptPlaces(exemptions, () => this.#cards?.heldBytes ?? 0)
        : undefined;
    if (exempt !== undefined) this.add(exempt);
    const view = this.view();
    const plain = new CardMasker(this.#mediaType, options, this.log(view, exempt));
    this.#cards = plain;
    // Text has no members.
    if (base64 || this.#mediaType === 'json') {
      const place = {words: base64 ? 'all' : 'binaryData', layers: 2, gzip: true} as const;
      // Words of base64 are gone through on their own, and what is found in them is counted so.
      this.#cards = new Base64Masker(plain, this.#mediaType, options, place, this.log(view, exempt));
    }
    this.add(this.#cards);
  }

  /** Keeps in sight what the next detector may ask about. Text has no members that have names. */
  view(): StreamView | undefined {
    if (this.#mediaType !== 'json') return undefined;
    const view = new StreamView();
    this.add(view);
    return view;
  }

  log(view: StreamView | undefined, exempt?: ExemptPlaces): FindingLog | undefined {
    if (view === undefined && this.#onFinding === undefined) return undefined;
    const log = new MaskLog({
      names: view && new FieldNames(view),
      exempt,
      onFinding: this.#onFinding,
      maskName: this.#maskName,
    });
    view?.onBegin(() => log.reset());
    this.#logs.push(log);
    return log;
  }

  masker(): Masker {
    // The text of a person who types is held by nothing but this.
    if (this.#cards !== undefined && this.#stages.length === 1) return this.#cards;
    return new StagedMasker(this.#stages, () => countedFields(this.#logs));
  }
}

/** The names of members go on record, and are no place to show what is hidden from them. */
function nameMasker(regexes: readonly RegexPlan[]): (name: string) => string {
  // Made where the first is found.
  let maskers: readonly Omit<Masker, 'counts'>[] | undefined;
  return (name) => {
    maskers ??= [
      createMasker({mediaType: 'text', base64: true}),
      ...(regexes.length > 0 ? [new RegexMasker('text', regexes)] : []),
    ];
    return maskers.reduce((masked, masker) => through(masker, masked), name);
  };
}

/** Masks a string at hand, for example a field of a preview. It is read as text, not as JSON. */
export function maskText(text: string): string {
  return textMasker()(text);
}

/** Texts longer than this are not remembered, nor more than so many. */
const REMEMBERED_CHARACTERS = 256;
const REMEMBERED_TEXTS = 1024;

/**
 * The same for strings of which many come again, as those of the record do: one masker serves all, and what was found to
 * hold nothing is remembered for a while.
 */
export function textMasker(): (text: string) => string {
  const clear = new Set<string>();
  let idle: Masker | undefined;
  return (text) => {
    if (!mayHaveDigits(text, CODE_MINIMUM_DIGITS) || clear.has(text)) return text;
    const masker = idle ?? createMasker({mediaType: 'text'});
    // One that threw is not used again.
    idle = undefined;
    const foundBefore = foundIn(masker.counts);
    const masked = through(masker, text);
    idle = masker;
    if (foundIn(masker.counts) > foundBefore) return masked;
    if (text.length <= REMEMBERED_CHARACTERS) {
      if (clear.size === REMEMBERED_TEXTS) clear.clear();
      clear.add(text);
    }
    return text;
  };
}

function through(masker: Omit<Masker, 'counts'>, text: string): string {
  const masked: Buffer[] = [];
  const emit = (bytes: Buffer): void => {
    masked.push(bytes);
  };
  masker.push(Buffer.from(text), emit);
  masker.end(emit);
  return Buffer.concat(masked).toString();
}
