/**
 * The part of the Kubernetes API that the operator speaks. Paths are absolute API paths with their query. Every call
 * rejects with KubeError where the API server refused, with KubeConnectionError where it gave no answer, and with the
 * signal's reason where that was aborted.
 */
export interface KubeClient {
  get<T>(path: string, signal?: AbortSignal): Promise<T>;
  create<T>(path: string, body: unknown, signal?: AbortSignal): Promise<T>;
  /** PUT; the body's metadata.resourceVersion is the precondition. */
  update<T>(path: string, body: unknown, signal?: AbortSignal): Promise<T>;
  /** Server-side apply with field manager `lockkeeper-operator`, force. */
  apply<T>(path: string, body: unknown, signal?: AbortSignal): Promise<T>;
  delete(path: string, preconditions?: {uid?: string; resourceVersion?: string}, signal?: AbortSignal): Promise<void>;
  /** GET of a watch: one decoded event at a time; ends when the server ends it, throws KubeError or a network error. */
  watch(path: string, signal: AbortSignal): AsyncIterable<WatchEvent>;
}

export interface WatchEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR';
  readonly object: unknown;
}

/** Keyed by `namespace/name` (or `name` where cluster-scoped). */
export interface Store<T> {
  get(key: string): T | undefined;
  list(): readonly T[];
  /** Of the last list or event; "" before the first. */
  readonly resourceVersion: string;
  readonly synced: boolean;
  /** Calls back with the key after each change, and once with each key after a relist. Gives the way to stop. */
  onChange(listener: (key: string) => void): () => void;
}
