/**
 * What is masked in the answers about one resource: the union of the masking entries of all policies that apply to a
 * call, compiled once for each combination. Where entries differ, what hides more holds.
 */
export interface MaskPlan {
  /** Equal for plans that mask alike, so that maskers can be used again. */
  readonly key: string;
  readonly pan: PanPlan | undefined;
  /** Track 1 and 2 of a magnetic stripe, whole. */
  readonly trackData: boolean;
  /** Card verification codes and PIN blocks, whole. */
  readonly cardVerificationCode: boolean;
  readonly regexes: readonly RegexPlan[];
  readonly fields: readonly FieldPlan[];
  /** Look into base64, and what is in it, everywhere; in the data of Secrets and in binaryData that is done in any case. */
  readonly decodeBase64: boolean;
  readonly exemptFields: readonly FieldExemption[];
}

/** What finds something wherever it stands; `Field` hides a place, whatever stands there. */
export type Detector = 'PAN' | 'TrackData' | 'CardVerificationCode' | 'Regex';

export interface PanPlan {
  /** The digits that stay: those that all entries let stay. */
  readonly show: PanShow;
  /** Also look for cards inside of digit runs that are longer than any card. */
  readonly longDigitRuns: boolean;
}

export type PanShow = 'None' | 'LastFour' | 'FirstSixLastFour';

/** Matches are overwritten with asterisks, byte for byte. */
export interface RegexPlan {
  /** RE2 syntax, within one JSON string or one line of text. */
  readonly pattern: string;
}

/** A member that is hidden whatever it holds. */
export interface FieldPlan {
  readonly path: FieldPath;
  /** Mask: overwritten at equal length. Remove: the member is left out, which changes the length of the answer. */
  readonly action: 'Mask' | 'Remove';
}

/** A member into which these detectors do not look, nor into what is inside of it. No path is there twice. */
export interface FieldExemption {
  readonly path: FieldPath;
  readonly detectors: readonly Detector[];
}

/**
 * A path from the root of an object: member names, `*` for any member or element, and nothing else. The root is the
 * object itself, each item of a list, the object of a watch event, and the object of a table's row.
 */
export type FieldPath = readonly string[];
