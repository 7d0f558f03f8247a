import {describe, expect, test} from '@jest/globals';
import {Registry} from 'prom-client';
import winston from 'winston';
import {ManualClock, settle} from '../../test/manualclock.ts';
import type {WatchEvent} from '../kube/client.ts';
import {KubeError} from '../kube/error.ts';
import {createAdmissionGuard} from './guard.ts';
import {admissionName, admissionResources, readShippedAdmission} from './shipped.ts';

const shipped = await readShippedAdmission(new URL('../../config/admission', import.meta.url).pathname);

/** An API server with the admission objects given by resource; a resource that is absent is not served. */
class AdmissionServer {
  readonly #specs = new Map<string, unknown>();
  readonly #watchers = new Map<string, (event: WatchEvent) => void>();

  constructor(specs: Readonly<Record<string, unknown>>) {
    for (const [resource, spec] of Object.entries(specs)) {
      this.#specs.set(resource, spec);
    }
  }

  async get<T>(path: string): Promise<T> {
    const resource = resourceOf(path);
    if (!this.#specs.has(resource)) {
      throw new KubeError(path, 404, undefined);
    }
    const spec = this.#specs.get(resource);
    const items = spec === null ? [] : [{metadata: {name: admissionName, resourceVersion: '1'}, spec}];
    return {metadata: {resourceVersion: '1'}, items} as T;
  }

  async *watch(path: string, signal: AbortSignal): AsyncGenerator<WatchEvent> {
    const waiting: WatchEvent[] = [];
    let wake = () => {};
    this.#watchers.set(resourceOf(path), (event) => {
      waiting.push(event);
      wake();
    });
    signal.addEventListener('abort', () => wake());
    while (!signal.aborted) {
      const event = waiting.shift();
      if (event) {
        yield event;
      } else {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    }
  }

  happens(resource: string, type: WatchEvent['type'], spec: unknown): void {
    this.#watchers.get(resource)?.({type, object: {metadata: {name: admissionName, resourceVersion: '2'}, spec}});
  }

  create = unused;
  update = unused;
  apply = unused;
  delete = unused;
}

function unused(): Promise<never> {
  throw new Error('the guard only reads');
}

function resourceOf(path: string): string {
  return path.split('?')[0]?.split('/').at(-1) ?? '';
}

const asShipped = Object.fromEntries(
  shipped.map(({kind, spec}) => [admissionResources[kind], JSON.parse(JSON.stringify(spec))]),
);

async function setUp(specs: Readonly<Record<string, unknown>>) {
  const server = new AdmissionServer(specs);
  const registry = new Registry();
  const guard = createAdmissionGuard({
    client: server,
    shipped,
    clock: new ManualClock(),
    random: () => 0.5,
    log: winston.createLogger({silent: true}),
    registry,
  });
  const stop = new AbortController();
  const run = guard.run(stop.signal);
  await settle();
  await settle();
  return {
    server,
    guard,
    registry,
    async [Symbol.asyncDispose]() {
      stop.abort();
      await run;
    },
  };
}

test('nothing stands before it was read', () => {
  const guard = createAdmissionGuard({
    client: new AdmissionServer({}),
    shipped,
    clock: new ManualClock(),
    random: () => 0.5,
    log: winston.createLogger({silent: true}),
    registry: new Registry(),
  });
  expect(guard.standing()).toMatchObject({ok: false, reason: expect.stringContaining('has not been read yet')});
});

test('all four as shipped stand', async () => {
  await using cluster = await setUp(asShipped);
  expect(cluster.guard.standing()).toEqual({ok: true});
  expect(await cluster.registry.metrics()).toContain('lockkeeper_admission_policies_standing 1');
});

test('a cluster that does not serve MutatingAdmissionPolicy needs the validating pair only', async () => {
  const {mutatingadmissionpolicies, mutatingadmissionpolicybindings, ...validating} = asShipped;
  await using cluster = await setUp(validating);
  expect(cluster.guard.standing()).toEqual({ok: true});
});

describe('any one of them', () => {
  test.each(shipped.map(({kind}) => [kind, admissionResources[kind]] as const))(
    '%s missing is told',
    async (kind, resource) => {
      await using cluster = await setUp({...asShipped, [resource]: null});
      const reason = `${kind} ${admissionName} does not exist; apply config/admission.`;
      expect(cluster.guard.standing()).toEqual({ok: false, reason});
    },
  );

  test.each(shipped.map(({kind}) => [kind, admissionResources[kind]] as const))(
    '%s changed is told',
    async (kind, resource) => {
      await using cluster = await setUp(asShipped);
      const heard: boolean[] = [];
      cluster.guard.onChange(() => heard.push(cluster.guard.standing().ok));
      cluster.server.happens(resource, 'MODIFIED', {...(asShipped[resource] as object), failurePolicy: 'Ignore'});
      await settle();
      expect(cluster.guard.standing()).toMatchObject({
        ok: false,
        reason: expect.stringContaining(`${kind} ${admissionName} is not as shipped`),
      });
      cluster.server.happens(resource, 'MODIFIED', asShipped[resource]);
      await settle();
      expect(heard).toEqual([false, true]);
    },
  );

  test.each(shipped.map(({kind}) => [kind, admissionResources[kind]] as const))(
    '%s deleted is told',
    async (_kind, resource) => {
      await using cluster = await setUp(asShipped);
      cluster.server.happens(resource, 'DELETED', asShipped[resource]);
      await settle();
      expect(cluster.guard.standing().ok).toBe(false);
    },
  );
});

test('a directory without the manifests is one clear error', async () => {
  await expect(readShippedAdmission('/nowhere')).rejects.toMatchObject({code: 'ShippedAdmission'});
});
