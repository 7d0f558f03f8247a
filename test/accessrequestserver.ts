import type {AccessRequest, DecisionSlot} from '../core/api/accessrequest.ts';
import type {Store} from '../operator/kube/client.ts';
import {KubeError} from '../operator/kube/error.ts';

/**
 * AccessRequests in memory, with what the operator relies on in the API server: names are taken once, a write needs the
 * newest resourceVersion, and what comes back is a copy. `cache` follows with or without delay.
 */
export class AccessRequestServer {
  readonly #objects = new Map<string, AccessRequest>();
  readonly #cached = new Map<string, AccessRequest>();
  readonly #listeners = new Set<(key: string) => void>();
  #version = 0;
  /** While true the cache stands still. */
  cacheStands = false;
  readonly calls: string[] = [];
  /** Runs before each write, once: what somebody else does in between. */
  meanwhile: (() => void) | undefined;

  async get<T>(path: string): Promise<T> {
    this.calls.push(`GET ${path}`);
    return copy(this.#existing(path)) as T;
  }

  async create<T>(path: string, body: unknown): Promise<T> {
    this.calls.push(`POST ${path}`);
    this.#interrupt();
    const request = copy(body as AccessRequest);
    const key = `${request.metadata?.namespace}/${request.metadata?.name}`;
    if (request.metadata?.namespace === 'missing') {
      throw new KubeError(path, 404, {reason: 'NotFound', details: {kind: 'namespaces'}});
    }
    if (this.#objects.has(key)) throw new KubeError(path, 409, {reason: 'AlreadyExists'});
    return copy(
      this.put({...request, metadata: {...request.metadata, uid: `uid-${this.#version}`, generation: 1}}),
    ) as T;
  }

  async update<T>(path: string, body: unknown): Promise<T> {
    this.calls.push(`PUT ${path}`);
    this.#interrupt();
    const existing = this.#existing(path);
    const request = copy(body as AccessRequest);
    if (request.metadata?.resourceVersion !== existing.metadata?.resourceVersion) {
      throw new KubeError(path, 409, {reason: 'Conflict'});
    }
    return copy(this.put(request)) as T;
  }

  async delete(path: string, preconditions: {uid?: string; resourceVersion?: string} = {}): Promise<void> {
    this.calls.push(`DELETE ${path}`);
    const {metadata} = this.#existing(path);
    if (preconditions.uid !== metadata?.uid || preconditions.resourceVersion !== metadata?.resourceVersion) {
      throw new KubeError(path, 409, {reason: 'Conflict'});
    }
    const key = keyOf(path);
    this.#objects.delete(key);
    this.#follow(key);
  }

  /** Stores without a check. */
  put(request: AccessRequest): AccessRequest {
    this.#version++;
    const stored = {...request, metadata: {...request.metadata, resourceVersion: String(this.#version)}};
    const key = `${stored.metadata.namespace}/${stored.metadata.name}`;
    this.#objects.set(key, stored);
    this.#follow(key);
    return stored;
  }

  /** What an approver's kubectl does. */
  decide(key: string, outcome: DecisionSlot['outcome'], username: string): void {
    const request = this.at(key);
    this.put({...request, status: {...request.status, decision: {outcome, username}}});
  }

  at(key: string): AccessRequest {
    const request = this.#objects.get(key);
    if (!request) throw new Error(`no ${key}`);
    return copy(request);
  }

  has(key: string): boolean {
    return this.#objects.has(key);
  }

  get keys(): readonly string[] {
    return [...this.#objects.keys()];
  }

  readonly cache: Store<AccessRequest> = {
    get: (key) => this.#cached.get(key),
    list: () => [...this.#cached.values()],
    resourceVersion: '1',
    synced: true,
    onChange: (listener) => {
      this.#listeners.add(listener);
      return () => this.#listeners.delete(listener);
    },
  };

  get followers(): number {
    return this.#listeners.size;
  }

  #interrupt(): void {
    const meanwhile = this.meanwhile;
    this.meanwhile = undefined;
    meanwhile?.();
  }

  #existing(path: string): AccessRequest {
    const request = this.#objects.get(keyOf(path));
    if (!request) throw new KubeError(path, 404, {reason: 'NotFound'});
    return request;
  }

  #follow(key: string): void {
    if (this.cacheStands) return;
    const request = this.#objects.get(key);
    if (request) this.#cached.set(key, copy(request));
    else this.#cached.delete(key);
    for (const listener of this.#listeners) listener(key);
  }
}

function keyOf(path: string): string {
  const [, namespace, name] = /\/namespaces\/([^/]+)\/accessrequests\/([^/]+)/.exec(path) ?? [];
  return `${namespace}/${name}`;
}

function copy<T>(value: T): T {
  return JSON.parse(JSON.stringify(value)) as T;
}
