/**
 * Whether the API server enforces who may decide an AccessRequest, as shipped. While it does not, anyone who may patch
 * the status could forge a decision, so none is honoured.
 */
export type Standing = {readonly ok: true} | {readonly ok: false; readonly reason: string};

/** Something that knows the standing now and says when it may have changed. */
export interface AdmissionStanding {
  standing(): Standing;
  /** Calls back after each change of the standing. Gives the way to stop. */
  onChange(listener: () => void): () => void;
}
