import {commonPath, parseFieldPath} from './fieldpath.ts';
import type {Detector, FieldExemption, FieldPath, FieldPlan, MaskPlan, PanShow, RegexPlan} from './plan.ts';
import {RegexError, RegexProgram} from './regexprogram.ts';

/** What a masking entry of a policy says of what is hidden. Strings are as received: this is where they are read. */
export interface MaskingSource {
  readonly detector: string;
  readonly show?: string;
  readonly longDigitRuns?: boolean;
  readonly unexpected?: boolean;
  readonly decode?: readonly string[];
  readonly regex?: {readonly pattern: string};
  readonly field?: {readonly paths: readonly string[]; readonly action?: string};
}

/** What one entry adds to a plan. */
export type PlanPart = {readonly decodeBase64: boolean} & (
  | {readonly detector: 'PAN'; readonly show: PanShow; readonly longDigitRuns: boolean}
  | {readonly detector: 'TrackData' | 'CardVerificationCode'}
  | ({readonly detector: 'Regex'} & RegexPlan)
  | {readonly detector: 'Field'; readonly fields: readonly FieldPlan[]}
);

/** An entry that cannot be honoured: what it covers must not be shown. */
export class InvalidMasking extends Error {
  override readonly name = 'InvalidMasking';
  /** Path within the entry, such as `regex.pattern`. */
  readonly field: string;

  constructor(field: string, message: string) {
    super(message);
    this.field = field;
  }
}

const shows: readonly PanShow[] = ['None', 'LastFour', 'FirstSixLastFour'];

/** The parts that not every detector takes. */
const partsOf: Readonly<Record<PlanPart['detector'], readonly (keyof MaskingSource)[]>> = {
  PAN: ['show', 'longDigitRuns', 'unexpected', 'decode'],
  TrackData: ['decode'],
  CardVerificationCode: ['decode'],
  Regex: ['regex'],
  Field: ['field'],
};

/** @throws {InvalidMasking} */
export function compileMasking(source: MaskingSource): PlanPart {
  const {detector, show = 'LastFour', longDigitRuns = false, decode = [], regex, field} = source;
  if (!Object.hasOwn(partsOf, detector)) {
    throw new InvalidMasking('detector', `unknown detector ${JSON.stringify(detector)}`);
  }
  const known = detector as PlanPart['detector'];
  for (const part of ['show', 'longDigitRuns', 'unexpected', 'decode', 'regex', 'field'] as const) {
    if (isGiven(source[part]) && !partsOf[known].includes(part)) {
      throw new InvalidMasking(part, `does not go with the detector ${known}`);
    }
  }
  for (const [index, encoding] of decode.entries()) {
    if (encoding !== 'Base64') throw new InvalidMasking(`decode[${index}]`, `unknown encoding ${quoted(encoding)}`);
  }
  const decodeBase64 = decode.length > 0;
  switch (known) {
    case 'PAN': {
      const shown = shows.find((candidate) => candidate === show);
      if (shown === undefined)
        throw new InvalidMasking('show', `must be one of ${shows.join(', ')}, not ${quoted(show)}`);
      return {detector: known, show: shown, longDigitRuns, decodeBase64};
    }
    case 'TrackData':
    case 'CardVerificationCode':
      return {detector: known, decodeBase64};
    case 'Regex':
      if (regex === undefined) throw new InvalidMasking('regex', 'is missing');
      return {detector: known, pattern: checkedPattern(regex.pattern), decodeBase64};
    case 'Field':
      if (field === undefined) throw new InvalidMasking('field', 'is missing');
      return {detector: known, fields: fieldsOf(field), decodeBase64};
  }
}

/** @throws {InvalidMasking} where one is no path */
export function compilePaths(texts: readonly string[], field: string): readonly FieldPath[] {
  return texts.map((text, index) => {
    const path = parseFieldPath(text);
    if (path === undefined) {
      throw new InvalidMasking(
        `${field}[${index}]`,
        `${quoted(text)} is no path such as data.* or spec.containers[*].env`,
      );
    }
    return path;
  });
}

function checkedPattern(pattern: string): string {
  try {
    new RegexProgram([pattern]);
  } catch (error) {
    if (error instanceof RegexError) throw new InvalidMasking('regex.pattern', error.message);
    throw error;
  }
  return pattern;
}

function fieldsOf({paths, action = 'Mask'}: NonNullable<MaskingSource['field']>): readonly FieldPlan[] {
  if (action !== 'Mask' && action !== 'Remove') {
    throw new InvalidMasking('field.action', `must be Mask or Remove, not ${quoted(action)}`);
  }
  return compilePaths(paths, 'field.paths').map((path) => ({path, action}));
}

function isGiven(value: unknown): boolean {
  return value !== undefined && value !== false && !(Array.isArray(value) && value.length === 0);
}

function quoted(text: string): string {
  return JSON.stringify(text.slice(0, 64));
}

/** What the record never holds, whatever policies say (PCI DSS 3.3.1 and 3.5.1). */
export const recordParts: readonly PlanPart[] = [
  {detector: 'PAN', show: 'LastFour', longDigitRuns: false, decodeBase64: false},
  {detector: 'TrackData', decodeBase64: false},
  {detector: 'CardVerificationCode', decodeBase64: false},
];

/** An entry where it applies, and the members that it leaves alone there. */
export interface AppliedPart {
  readonly part: PlanPart;
  readonly exempt: readonly FieldPath[];
}

/** Puts together what is hidden where all of these apply; undefined where none does. */
export function unitePlan(applied: readonly AppliedPart[]): MaskPlan | undefined {
  if (applied.length === 0) return undefined;
  const parts = applied.map(({part}) => part);
  const pans = parts.filter((part) => part.detector === 'PAN');
  const patterns = new Set(parts.filter((part) => part.detector === 'Regex').map(({pattern}) => pattern));
  const plan = {
    pan:
      pans.length === 0
        ? undefined
        : {
            show: shows[Math.min(...pans.map(({show}) => shows.indexOf(show)))] ?? 'None',
            longDigitRuns: pans.some(({longDigitRuns}) => longDigitRuns),
          },
    trackData: parts.some(({detector}) => detector === 'TrackData'),
    cardVerificationCode: parts.some(({detector}) => detector === 'CardVerificationCode'),
    regexes: [...patterns].sort().map((pattern) => ({pattern})),
    fields: unitedFields(parts.flatMap((part) => (part.detector === 'Field' ? part.fields : []))),
    decodeBase64: parts.some(({decodeBase64}) => decodeBase64),
    exemptFields: unitedExemptions(applied),
  };
  return deepFreeze({key: JSON.stringify(plan), ...plan});
}

/** Whether `plan` hides all that `other` does. */
export function hidesAllOf(plan: MaskPlan | undefined, other: MaskPlan | undefined): boolean {
  if (other === undefined || plan?.key === other.key) return true;
  if (plan === undefined) return false;
  const isExempt = (path: FieldPath, detector: Detector) =>
    other.exemptFields.some((exempt) => exempt.detectors.includes(detector) && isWithin(path, exempt.path));
  return (
    hidesPansOf(plan, other) &&
    (plan.trackData || !other.trackData) &&
    (plan.cardVerificationCode || !other.cardVerificationCode) &&
    (plan.decodeBase64 || !other.decodeBase64) &&
    other.regexes.every(({pattern}) => plan.regexes.some((regex) => regex.pattern === pattern)) &&
    other.fields.every(({path, action}) =>
      plan.fields.some((field) => isWithin(path, field.path) && (field.action === action || action === 'Mask')),
    ) &&
    plan.exemptFields.every(({path, detectors}) =>
      detectors.every((detector) => !finds(other, detector) || isExempt(path, detector)),
    )
  );
}

function hidesPansOf({pan}: MaskPlan, other: MaskPlan): boolean {
  if (other.pan === undefined) return true;
  if (pan === undefined) return false;
  return shows.indexOf(pan.show) <= shows.indexOf(other.pan.show) && (pan.longDigitRuns || !other.pan.longDigitRuns);
}

function finds({pan, trackData, cardVerificationCode, regexes}: MaskPlan, detector: Detector): boolean {
  switch (detector) {
    case 'PAN':
      return pan !== undefined;
    case 'TrackData':
      return trackData;
    case 'CardVerificationCode':
      return cardVerificationCode;
    case 'Regex':
      return regexes.length > 0;
  }
}

/** Whether each member to which `path` leads is one of `outer`, or inside of one. */
function isWithin(path: FieldPath, outer: FieldPath): boolean {
  return outer.length <= path.length && outer.every((segment, at) => segment === '*' || segment === path[at]);
}

function unitedFields(fields: readonly FieldPlan[]): readonly FieldPlan[] {
  const united = new Map<string, FieldPlan>();
  for (const field of fields) {
    const key = JSON.stringify(field.path);
    if (field.action === 'Remove' || !united.has(key)) united.set(key, field);
  }
  return sortedByKey(united);
}

/** Past this an answer is masked more than it would have to be. */
const maximumExemptions = 256;

/** For each detector the members that all of its entries leave alone. */
function unitedExemptions(applied: readonly AppliedPart[]): readonly FieldExemption[] {
  const united = new Map<string, {path: FieldPath; detectors: Detector[]}>();
  for (const detector of ['PAN', 'TrackData', 'CardVerificationCode', 'Regex'] as const) {
    const lists = applied.filter(({part}) => part.detector === detector).map(({exempt}) => exempt);
    if (lists.length === 0) continue;
    for (const path of lists.reduce(commonPaths)) {
      const key = JSON.stringify(path);
      const known = united.get(key);
      if (known === undefined) united.set(key, {path, detectors: [detector]});
      else if (!known.detectors.includes(detector)) known.detectors.push(detector);
    }
  }
  return sortedByKey(united);
}

function commonPaths(left: readonly FieldPath[], right: readonly FieldPath[]): readonly FieldPath[] {
  const common = new Map<string, FieldPath>();
  for (const one of left) {
    for (const other of right) {
      const path = commonPath(one, other);
      if (path === undefined || common.size === maximumExemptions) continue;
      common.set(JSON.stringify(path), path);
    }
  }
  return [...common.values()];
}

function sortedByKey<T>(map: ReadonlyMap<string, T>): readonly T[] {
  return [...map].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, value]) => value);
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    Object.values(value).forEach(deepFreeze);
  }
  return value;
}
