import {describe, expect, test} from '@jest/globals';
import {createLogger} from 'winston';
import {ManualClock, settle} from '../../test/manualclock.ts';
import type {KubeClient, WatchEvent} from './client.ts';
import {KubeConnectionError, KubeError} from './error.ts';
import {Reflector} from './reflector.ts';

interface Thing {
  readonly metadata: {readonly namespace?: string; readonly name: string; readonly resourceVersion: string};
  readonly value: number;
}

function thing(name: string, resourceVersion: number, value = 0): Thing {
  return {metadata: {namespace: 'ns', name, resourceVersion: String(resourceVersion)}, value};
}

function event(type: WatchEvent['type'], object: unknown): WatchEvent {
  return {type, object};
}

const bookmark = (resourceVersion: number) =>
  event('BOOKMARK', {kind: 'Thing', metadata: {resourceVersion: String(resourceVersion)}});

function expired(): KubeError {
  return new KubeError('GET', 410, {reason: 'Expired', message: 'too old resource version'});
}

/** One watch that the test feeds by hand. */
class ManualWatch implements AsyncIterable<WatchEvent> {
  readonly path: string;
  readonly signal: AbortSignal;
  #queue: (WatchEvent | {end: true} | {error: unknown})[] = [];
  #wake: (() => void) | undefined;

  constructor(path: string, signal: AbortSignal) {
    this.path = path;
    this.signal = signal;
    signal.addEventListener('abort', () => this.#put({error: signal.reason}));
  }

  get query(): URLSearchParams {
    return new URL(this.path, 'https://kube.example.com').searchParams;
  }

  send(...events: WatchEvent[]): Promise<void> {
    for (const each of events) this.#put(each);
    return settle();
  }

  end(): Promise<void> {
    this.#put({end: true});
    return settle();
  }

  fail(error: unknown): Promise<void> {
    this.#put({error});
    return settle();
  }

  #put(item: WatchEvent | {end: true} | {error: unknown}): void {
    this.#queue.push(item);
    this.#wake?.();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<WatchEvent> {
    for (;;) {
      for (const item of this.#queue.splice(0)) {
        if ('end' in item) return;
        if ('error' in item) throw item.error;
        yield item;
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}

function setUp(lists: (unknown | Error)[]) {
  const clock = new ManualClock();
  const stop = new AbortController();
  const requests: string[] = [];
  const watches: ManualWatch[] = [];
  const refusals: unknown[] = [];
  const client: Pick<KubeClient, 'get' | 'watch'> = {
    async get<T>(path: string) {
      requests.push(path);
      const answer = lists.shift() ?? {metadata: {resourceVersion: '1'}, items: []};
      if (answer instanceof Error) throw answer;
      return answer as T;
    },
    watch(path, signal) {
      requests.push(path);
      const watch = new ManualWatch(path, signal);
      watches.push(watch);
      const refusal = refusals.shift();
      if (refusal !== undefined) void watch.fail(refusal);
      return watch;
    },
  };
  const reflector = new Reflector<Thing>({
    client: client as KubeClient,
    path: '/apis/example.com/v1/things',
    parse(object) {
      if (typeof (object as Thing).value !== 'number') throw new Error('value is not a number');
      return object as Thing;
    },
    clock,
    random: () => 0,
    log: createLogger({silent: true}),
  });
  const changes: string[] = [];
  reflector.onChange((key) => changes.push(key));
  const done = reflector.run(stop.signal);
  const lastWatch = () => {
    const watch = watches.at(-1);
    if (!watch) throw new Error('no watch was opened');
    return watch;
  };
  const names = () => reflector.list().map(({metadata}) => metadata.name);
  return {clock, stop, requests, watches, refusals, reflector, changes, done, lastWatch, names};
}

const oneThing = {metadata: {resourceVersion: '10'}, items: [thing('a', 5)]};

describe('reflector', () => {
  test('lists, then watches from the version of the list, with bookmarks and a server-side end', async () => {
    const {reflector, requests, lastWatch, changes, stop, done} = setUp([oneThing]);
    expect(reflector.synced).toBe(false);
    await settle();
    expect(reflector.synced).toBe(true);
    expect(reflector.resourceVersion).toBe('10');
    expect(changes).toEqual(['ns/a']);
    expect(requests[0]).toBe('/apis/example.com/v1/things?limit=500');
    expect(Object.fromEntries(lastWatch().query)).toEqual({
      watch: 'true',
      allowWatchBookmarks: 'true',
      resourceVersion: '10',
      timeoutSeconds: '300',
    });
    stop.abort();
    await done;
  });

  test('applies events and tells each key', async () => {
    const {reflector, lastWatch, changes, names, stop, done} = setUp([oneThing]);
    await settle();
    changes.length = 0;
    await lastWatch().send(
      event('ADDED', thing('b', 11)),
      event('MODIFIED', thing('b', 12, 7)),
      event('DELETED', thing('a', 13)),
    );
    expect(names()).toEqual(['b']);
    expect(reflector.get('ns/b')?.value).toBe(7);
    expect(reflector.get('ns/a')).toBeUndefined();
    expect(reflector.resourceVersion).toBe('13');
    expect(changes).toEqual(['ns/b', 'ns/b', 'ns/a']);
    stop.abort();
    await done;
  });

  test('reads a long list page by page', async () => {
    const {requests, names, reflector, stop, done} = setUp([
      {metadata: {resourceVersion: '10', continue: 'a/b='}, items: [thing('a', 1)]},
      {metadata: {resourceVersion: '10', continue: 'c'}, items: [thing('b', 2)]},
      {metadata: {resourceVersion: '10'}, items: [thing('c', 3)]},
    ]);
    await settle();
    expect(requests.slice(0, 3)).toEqual([
      '/apis/example.com/v1/things?limit=500',
      '/apis/example.com/v1/things?limit=500&continue=a%2Fb%3D',
      '/apis/example.com/v1/things?limit=500&continue=c',
    ]);
    expect(names()).toEqual(['a', 'b', 'c']);
    expect(reflector.resourceVersion).toBe('10');
    stop.abort();
    await done;
  });

  test('lists the whole at once when the snapshot behind the pages is gone', async () => {
    const {requests, names, reflector, stop, done} = setUp([
      {metadata: {resourceVersion: '10', continue: 'x'}, items: [thing('a', 1)]},
      expired(),
      {metadata: {resourceVersion: '20'}, items: [thing('b', 12)]},
    ]);
    await settle();
    expect(requests[2]).toBe('/apis/example.com/v1/things');
    expect(names()).toEqual(['b']);
    expect(reflector.resourceVersion).toBe('20');
    stop.abort();
    await done;
  });

  test('goes on from the last bookmark when the watch ends', async () => {
    const {clock, lastWatch, watches, changes, stop, done} = setUp([oneThing]);
    await settle();
    changes.length = 0;
    await lastWatch().send(bookmark(500));
    await lastWatch().end();
    await clock.advance(200);
    expect(watches).toHaveLength(2);
    expect(lastWatch().query.get('resourceVersion')).toBe('500');
    expect(changes).toEqual([]);
    stop.abort();
    await done;
  });

  test('goes on from the last event when the watch is torn', async () => {
    const {clock, requests, lastWatch, names, stop, done} = setUp([oneThing]);
    await settle();
    await lastWatch().send(event('ADDED', thing('b', 42)));
    await lastWatch().fail(new KubeConnectionError('the watch ended inside an event'));
    await clock.advance(200);
    expect(lastWatch().query.get('resourceVersion')).toBe('42');
    expect(requests.filter((path) => !path.includes('watch='))).toHaveLength(1);
    expect(names()).toEqual(['a', 'b']);
    stop.abort();
    await done;
  });

  test.each([
    ['an ERROR event', undefined],
    ['an HTTP status', expired()],
  ])('lists again after 410 as %s, and tells the keys that came, stayed and went', async (_how, refusal) => {
    const {clock, lastWatch, changes, names, refusals, reflector, stop, done} = setUp([
      {metadata: {resourceVersion: '10'}, items: [thing('went', 1), thing('stayed', 2)]},
      {metadata: {resourceVersion: '900'}, items: [thing('stayed', 2), thing('came', 800)]},
    ]);
    await settle();
    changes.length = 0;
    if (refusal) {
      refusals.push(refusal);
      await lastWatch().end();
      await clock.advance(200);
    } else {
      await lastWatch().send(event('ERROR', {kind: 'Status', code: 410, reason: 'Expired', message: 'too old'}));
    }
    await clock.advance(400);
    expect(names()).toEqual(['stayed', 'came']);
    expect(changes.sort()).toEqual(['ns/came', 'ns/stayed', 'ns/went']);
    expect(reflector.resourceVersion).toBe('900');
    expect(lastWatch().query.get('resourceVersion')).toBe('900');
    stop.abort();
    await done;
  });

  test('keeps its version after any other error', async () => {
    const {clock, lastWatch, requests, stop, done} = setUp([oneThing]);
    await settle();
    await lastWatch().send(event('ERROR', {kind: 'Status', code: 500, reason: 'InternalError', message: 'etcd'}));
    await clock.advance(200);
    expect(lastWatch().query.get('resourceVersion')).toBe('10');
    expect(requests.filter((path) => !path.includes('watch='))).toHaveLength(1);
    stop.abort();
    await done;
  });

  test('waits longer with each failure, up to 30 s, and starts over once a watch brought something', async () => {
    const refused = Array.from({length: 12}, () => new KubeConnectionError('connect ECONNREFUSED'));
    const {clock, lastWatch, stop, done} = setUp([...refused, oneThing]);
    const waits: (number | undefined)[] = [];
    for (let count = 0; count < 12; count += 1) {
      await settle();
      waits.push(clock.pending[0]);
      await clock.advance(clock.pending[0] ?? 0);
    }
    expect(waits).toEqual([200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 30_000, 30_000, 30_000, 30_000]);
    await lastWatch().send(bookmark(11));
    await lastWatch().end();
    expect(clock.pending).toEqual([200]);
    stop.abort();
    await done;
  });

  test('does not ask a server in a tight loop that ends every watch at once', async () => {
    const {clock, lastWatch, stop, done} = setUp([oneThing]);
    await settle();
    const waits: (number | undefined)[] = [];
    for (let count = 0; count < 4; count += 1) {
      await lastWatch().end();
      waits.push(clock.pending[0]);
      await clock.advance(clock.pending[0] ?? 0);
    }
    expect(waits).toEqual([200, 400, 800, 1600]);
    stop.abort();
    await done;
  });

  test('leaves a watch that went silent and goes on where it was', async () => {
    const {clock, lastWatch, watches, stop, done} = setUp([oneThing]);
    await settle();
    await clock.advance(140_000);
    await lastWatch().send(bookmark(77));
    await clock.advance(140_000);
    expect(watches).toHaveLength(1);
    await clock.advance(10_000);
    expect(watches[0]?.signal.aborted).toBe(true);
    await clock.advance(200);
    expect(watches).toHaveLength(2);
    expect(lastWatch().query.get('resourceVersion')).toBe('77');
    stop.abort();
    await done;
  });

  test('leaves out what it cannot read, and keeps what it had read of it before', async () => {
    const unreadable = {metadata: {namespace: 'ns', name: 'b', resourceVersion: '6'}};
    const {clock, lastWatch, names, reflector, stop, done} = setUp([
      {metadata: {resourceVersion: '10'}, items: [thing('a', 5, 1), unreadable, null, 'x', {metadata: {}}]},
      {metadata: {resourceVersion: '20'}, items: [{...thing('a', 15), value: 'x'}]},
    ]);
    await settle();
    expect(names()).toEqual(['a']);
    await lastWatch().send(event('MODIFIED', {...thing('a', 12), value: 'x'}));
    expect(reflector.get('ns/a')?.value).toBe(1);
    expect(reflector.resourceVersion).toBe('12');
    await lastWatch().send(event('ERROR', {kind: 'Status', code: 410}));
    await clock.advance(200);
    expect(reflector.resourceVersion).toBe('20');
    expect(reflector.get('ns/a')?.value).toBe(1);
    stop.abort();
    await done;
  });

  test('does not take an event without a version for progress', async () => {
    const {clock, lastWatch, watches, names, stop, done} = setUp([oneThing]);
    await settle();
    await lastWatch().send(event('ADDED', {metadata: {namespace: 'ns', name: 'b'}, value: 1}));
    await clock.advance(200);
    expect(names()).toEqual(['a']);
    expect(watches).toHaveLength(2);
    expect(lastWatch().query.get('resourceVersion')).toBe('10');
    stop.abort();
    await done;
  });

  test('ends when told, whatever it was doing', async () => {
    const watching = setUp([oneThing]);
    await settle();
    watching.stop.abort();
    await watching.done;
    expect(watching.watches[0]?.signal.aborted).toBe(true);
    const waiting = setUp([new KubeConnectionError('no')]);
    await settle();
    waiting.stop.abort();
    await waiting.done;
    expect(waiting.clock.pending).toEqual([]);
  });
});
