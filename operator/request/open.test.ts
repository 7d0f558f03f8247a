import {describe, expect, test} from '@jest/globals';
import type {AccessRequestStatus} from '../../core/api/accessrequest.ts';
import type {OpenRequest} from '../../core/control/messages.ts';
import type {Bundle, BundleApproval} from '../../core/policy/bundle.ts';
import {AccessRequestServer} from '../../test/accessrequestserver.ts';
import {ManualClock} from '../../test/manualclock.ts';
import {openAccessRequest} from './open.ts';

const approval: BundleApproval = {
  approvers: {groups: [], users: []},
  count: 1,
  expireAfterSeconds: 900,
  grant: 'Once',
  waitSeconds: 0,
};

function bundleWith(differing: Partial<BundleApproval> = {}): Bundle {
  const rule = {name: 'secrets', operations: [], conditions: [], message: ''};
  return {
    schemaVersion: 1,
    revision: '1',
    hash: '',
    rootNamespace: 'lockkeeper-system',
    policies: [
      {
        namespace: 'lockkeeper-system',
        name: 'agents',
        uid: 'uid',
        generation: 1,
        enforcementMode: 'Enforce',
        subjects: [],
        rules: [{...rule, effect: 'RequireApproval', approval: {...approval, ...differing}}],
        masking: [],
        auditLevel: 'Metadata',
        recordInput: false,
      },
    ],
  };
}

function request(differing: Partial<OpenRequest['spec']> = {}, namespace = 'payments'): OpenRequest {
  return {
    namespace,
    expireAfterSeconds: 900,
    spec: {
      agent: {username: 'agent:bot'},
      operation: {verb: 'create', resource: 'secrets', namespace},
      request: {method: 'POST', path: `/api/v1/namespaces/${namespace}/secrets`},
      digest: 'd'.repeat(64),
      policy: {namespace: 'lockkeeper-system', name: 'agents', rule: 'secrets'},
      count: 1,
      grant: 'Once',
      ...differing,
    },
  };
}

function setUp() {
  const server = new AccessRequestServer();
  const clock = new ManualClock();
  let bundle: Bundle | undefined = bundleWith();
  const open = (given: OpenRequest) =>
    openAccessRequest(given, {
      client: server,
      accessRequests: server.cache,
      bundles: {current: () => bundle},
      admission: {standing: () => ({ok: true})},
      now: () => clock.now(),
    });
  function setBundle(next: Bundle | undefined) {
    bundle = next;
  }
  return {server, clock, open, setBundle};
}

const first = 'payments/secrets-dddddddddddddddd-1';
const second = 'payments/secrets-dddddddddddddddd-2';
const time = '2026-01-01T00:00:00.000Z';
const grants: AccessRequestStatus = {decisions: [{outcome: 'Approved', username: 'ann', time}]};
const denies: AccessRequestStatus = {decisions: [{outcome: 'Denied', username: 'ann', reason: 'no', time}]};
const slot: AccessRequestStatus = {decision: {outcome: 'Denied', username: 'ann', reason: 'no'}};
const spent: AccessRequestStatus = {...grants, consumedBy: {proxy: 'p', auditID: 'a', time}};

test('opens one that expires by the operator’s clock', async () => {
  const {open, server} = setUp();
  const {outcome, state} = await open(request());
  expect({outcome, state}).toMatchObject({
    outcome: 'Opened',
    state: {
      namespace: 'payments',
      name: 'secrets-dddddddddddddddd-1',
      phase: 'Pending',
      expiresAt: '2026-01-01T00:15:00.000Z',
    },
  });
  const {metadata, spec} = server.at(first);
  expect(metadata?.labels).toEqual({'lockkeeper.dev/digest': 'd'.repeat(63)});
  expect(spec).toEqual({...request().spec, expiresAt: '2026-01-01T00:15:00.000Z'});
});

describe('the same call again', () => {
  test.each([
    ['joins a pending one', {}, 'Joined', 'Pending'],
    ['joins an approved one that is not spent', grants, 'Joined', 'Approved'],
    ['hears of a denial, and nobody is asked again', denies, 'Joined', 'Denied'],
    ['hears of a denial that the leader has not recorded yet', slot, 'Joined', 'Denied'],
    ['opens another once the grant is spent', spent, 'Opened', 'Pending'],
  ] as const)('%s', async (_name, status, outcome, phase) => {
    const {open, server} = setUp();
    await open(request());
    server.put({...server.at(first), status});
    const again = await open(request());
    expect([again.outcome, again.state.phase]).toEqual([outcome, phase]);
    expect(server.keys).toEqual(outcome === 'Opened' ? [first, second] : [first]);
  });

  test.each([
    ['pending', {}],
    ['approved', grants],
    ['denied', denies],
  ])('opens another once the %s one has expired, though nobody has written that yet', async (_name, status) => {
    const {open, server, clock} = setUp();
    await open(request());
    server.put({...server.at(first), status});
    await clock.advance(900_000);
    expect((await open(request())).state.name).toBe('secrets-dddddddddddddddd-2');
  });

  test('does not join one opened under weaker terms', async () => {
    const {open, setBundle, server} = setUp();
    await open(request());
    server.put({...server.at(first), status: grants});
    setBundle(bundleWith({count: 2}));
    expect(await open(request({count: 2}))).toMatchObject({outcome: 'Opened', state: {phase: 'Pending'}});
  });

  test('does not join one that is being deleted', async () => {
    const {open, server} = setUp();
    await open(request());
    const existing = server.at(first);
    server.put({...existing, metadata: {...existing.metadata, deletionTimestamp: time}});
    expect((await open(request())).outcome).toBe('Opened');
  });

  test('joins through a cache that knows nothing of it yet', async () => {
    const {open, server} = setUp();
    server.cacheStands = true;
    await open(request());
    expect((await open(request())).outcome).toBe('Joined');
  });

  test('does not believe a cache that still holds an unspent grant', async () => {
    const {open, server} = setUp();
    await open(request());
    server.put({...server.at(first), status: grants});
    server.cacheStands = true;
    server.put({...server.at(first), status: spent});
    expect((await open(request())).outcome).toBe('Opened');
  });

  test('from many callers at once is one AccessRequest', async () => {
    const {open, server} = setUp();
    server.cacheStands = true;
    const opened = await Promise.all(Array.from({length: 20}, () => open(request())));
    expect(server.keys).toEqual([first]);
    expect(opened.filter(({outcome}) => outcome === 'Opened')).toHaveLength(1);
  });
});

test('another call whose digest begins alike gets a request of its own', async () => {
  const {open, server} = setUp();
  await open(request());
  const alike = await open(request({digest: `${'d'.repeat(16)}${'e'.repeat(48)}`}));
  expect(alike.outcome).toBe('Opened');
  expect(server.keys).toEqual([first, second]);
});

describe('refused', () => {
  test('before there is a bundle', async () => {
    const {open, setBundle} = setUp();
    setBundle(undefined);
    await expect(open(request())).rejects.toMatchObject({code: 'NoBundle', httpStatus: 503});
  });

  test('for a namespace that does not exist', async () => {
    const {open} = setUp();
    await expect(open(request({}, 'missing'))).rejects.toMatchObject({
      code: 'NamespaceNotFound',
      httpStatus: 404,
      field: 'namespace',
    });
  });

  test('for an agent that already has a hundred pending there; others are not held up', async () => {
    const {open} = setUp();
    for (let i = 0; i < 100; i++) {
      await open(request({digest: String(i).padStart(64, '0').split('').reverse().join('')}));
    }
    await expect(open(request())).rejects.toMatchObject({code: 'TooManyPending', httpStatus: 429});
    await expect(open(request({agent: {username: 'agent:other'}}))).resolves.toMatchObject({outcome: 'Opened'});
  });
});
