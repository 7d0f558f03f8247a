import type {Logger} from 'winston';
import {backoffMilliseconds} from './backoff.ts';
import type {KubeClient, Store, WatchEvent} from './client.ts';
import {type Clock, sleep} from './clock.ts';
import {KubeConnectionError, KubeError, parseStatus} from './error.ts';

export interface ReflectorOptions<T> {
  readonly client: KubeClient;
  /** API path of the collection, with its label or field selector where there is one. */
  readonly path: string;
  /** Gives the object its type, or throws saying what it lacks; then it is logged and left out. */
  readonly parse: (object: unknown) => T;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Logger;
}

const pageSize = 500;
const backoff = {baseMilliseconds: 200, maximumMilliseconds: 30_000};
/** The server ends a watch after a random time in this range, so that watches spread over its replicas again. */
const watchSeconds = {minimum: 300, maximum: 600};
/** Backoff starts anew after a watch that lasted this long, or that brought anything. */
const healthyMilliseconds = 5_000;
/** The API server sends a bookmark about every minute; a watch with none for this long hangs. */
const silenceMilliseconds = 150_000;

interface Page {
  readonly metadata?: {readonly resourceVersion?: string; readonly continue?: string};
  readonly items?: readonly unknown[];
}

/**
 * Keeps a local copy of a collection, as client-go's reflector does: list, then watch from there; when the server no
 * longer knows the version (410), list again. Nobody may depend on which event came: a change only names its key.
 */
export class Reflector<T> implements Store<T> {
  readonly #options: ReflectorOptions<T>;
  readonly #objects = new Map<string, T>();
  readonly #listeners = new Set<(key: string) => void>();
  readonly #synced = Promise.withResolvers<void>();
  #resourceVersion = '';
  #isSynced = false;

  constructor(options: ReflectorOptions<T>) {
    this.#options = options;
  }

  get(key: string): T | undefined {
    return this.#objects.get(key);
  }

  list(): readonly T[] {
    return [...this.#objects.values()];
  }

  get resourceVersion(): string {
    return this.#resourceVersion;
  }

  get synced(): boolean {
    return this.#isSynced;
  }

  onChange(listener: (key: string) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Resolves after the first whole list. */
  untilSynced(): Promise<void> {
    return this.#synced.promise;
  }

  /** Lists and watches until the signal aborts; failures are logged and tried again with backoff, never thrown. */
  async run(signal: AbortSignal): Promise<void> {
    const {clock, log, path, random} = this.#options;
    let failures = 0;
    let listed = false;
    while (!signal.aborted) {
      let startedAt = clock.monotonic();
      let brought = false;
      let failure: unknown;
      try {
        if (!listed) {
          await this.#list(signal);
          listed = true;
        }
        startedAt = clock.monotonic();
        await this.#watch(signal, () => {
          brought = true;
        });
      } catch (error) {
        if (signal.aborted) return;
        failure = error;
        if (KubeError.hasCode(error, 410)) listed = false;
      }
      if (brought || (listed && clock.monotonic() - startedAt >= healthyMilliseconds)) failures = 0;
      // A watch that the server ended properly counts, too: a server that ends them at once is not asked in a loop.
      failures += 1;
      if (failure) log.warn('watch failed', {path, relist: !listed, failures, error: messageOf(failure)});
      await sleep(clock, backoffMilliseconds(failures, backoff, random), signal);
    }
  }

  async #list(signal: AbortSignal): Promise<void> {
    let pages: Page[];
    try {
      pages = await this.#pages(pageSize, signal);
    } catch (error) {
      if (!KubeError.hasCode(error, 410)) throw error;
      // The snapshot that the pages came from was compacted meanwhile: take the whole in one answer.
      pages = await this.#pages(undefined, signal);
    }
    const resourceVersion = pages.at(-1)?.metadata?.resourceVersion;
    if (!resourceVersion) throw new KubeConnectionError(`list of ${this.#options.path} without a resourceVersion`);
    const gone = new Set(this.#objects.keys());
    const listed = new Map<string, T>();
    for (const item of pages.flatMap(({items}) => items ?? [])) {
      const key = keyOf(item);
      if (key === undefined) continue;
      const object = this.#parse(key, item) ?? this.#objects.get(key);
      if (object !== undefined) listed.set(key, object);
    }
    this.#objects.clear();
    for (const [key, object] of listed) {
      this.#objects.set(key, object);
      gone.delete(key);
    }
    this.#resourceVersion = resourceVersion;
    this.#isSynced = true;
    this.#synced.resolve();
    for (const key of [...gone, ...listed.keys()]) this.#changed(key);
  }

  async #pages(limit: number | undefined, signal: AbortSignal): Promise<Page[]> {
    const pages: Page[] = [];
    for (let next = ''; ; ) {
      const query = new URLSearchParams({...(limit && {limit: String(limit)}), ...(next && {continue: next})});
      const page: Page = await this.#options.client.get<Page>(withQuery(this.#options.path, query), signal);
      pages.push(page);
      next = page.metadata?.continue ?? '';
      if (next === '') return pages;
    }
  }

  async #watch(signal: AbortSignal, alive: () => void): Promise<void> {
    const {client, clock, path, random} = this.#options;
    const seconds = watchSeconds.minimum + Math.floor(random() * (watchSeconds.maximum - watchSeconds.minimum));
    const query = new URLSearchParams({
      watch: 'true',
      allowWatchBookmarks: 'true',
      resourceVersion: this.#resourceVersion,
      timeoutSeconds: String(seconds),
    });
    const silence = new AbortController();
    const startTimer = () =>
      clock.after(silenceMilliseconds, () => {
        silence.abort(new KubeConnectionError(`no event and no bookmark for ${silenceMilliseconds / 1000} s`));
      });
    let cancel = startTimer();
    try {
      for await (const event of client.watch(withQuery(path, query), AbortSignal.any([signal, silence.signal]))) {
        cancel();
        cancel = startTimer();
        this.#apply(event);
        alive();
      }
    } finally {
      cancel();
    }
  }

  #apply(event: WatchEvent): void {
    const {object} = event;
    if (event.type === 'ERROR') {
      const status = parseStatus(object);
      throw new KubeError(`watch of ${this.#options.path}`, status?.code ?? 500, status);
    }
    const resourceVersion = metadataOf(object)?.resourceVersion;
    if (typeof resourceVersion !== 'string' || resourceVersion === '') {
      throw new KubeConnectionError(`${event.type} event of ${this.#options.path} without a resourceVersion`);
    }
    const key = keyOf(object);
    switch (event.type) {
      case 'ADDED':
      case 'MODIFIED': {
        const parsed = key === undefined ? undefined : this.#parse(key, object);
        if (key !== undefined && parsed !== undefined) this.#objects.set(key, parsed);
        break;
      }
      case 'DELETED':
        if (key !== undefined) this.#objects.delete(key);
        break;
      case 'BOOKMARK':
        this.#resourceVersion = resourceVersion;
        return;
      default: {
        event.type satisfies never;
      }
    }
    this.#resourceVersion = resourceVersion;
    if (key !== undefined) this.#changed(key);
  }

  /** What cannot be read must not undo what was read before: the last good object stays. */
  #parse(key: string, object: unknown): T | undefined {
    try {
      return this.#options.parse(object);
    } catch (error) {
      this.#options.log.error('object left out', {path: this.#options.path, key, error: messageOf(error)});
      return undefined;
    }
  }

  #changed(key: string): void {
    for (const listener of this.#listeners) listener(key);
  }
}

/** `namespace/name`, or `name` where cluster-scoped; undefined where the object has no name. */
function keyOf(object: unknown): string | undefined {
  const metadata = metadataOf(object);
  if (typeof metadata?.name !== 'string' || metadata.name === '') return undefined;
  return typeof metadata.namespace === 'string' ? `${metadata.namespace}/${metadata.name}` : metadata.name;
}

function metadataOf(object: unknown): Record<string, unknown> | undefined {
  if (typeof object !== 'object' || object === null || !('metadata' in object)) return undefined;
  const {metadata} = object;
  return typeof metadata === 'object' && metadata !== null ? (metadata as Record<string, unknown>) : undefined;
}

function withQuery(path: string, query: URLSearchParams): string {
  const text = query.toString();
  return text === '' ? path : `${path}${path.includes('?') ? '&' : '?'}${text}`;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
