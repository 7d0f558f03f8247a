import {describe, expect, test} from '@jest/globals';
import {encode} from 'cborg';
import {maskText} from '../../core/mask/createmasker.ts';
import type {Operation} from '../../core/request/operation.ts';
import {agent, operation} from '../../test/operations.ts';
import {bundleOf, bundlesOf, callOf, type Requested, rootNamespace, type TestPolicy} from '../../test/proxy/call.ts';
import {Bundles} from '../authorize/bundles.ts';
import {type Decided, redecide, withDecision} from './decision.ts';

const anything = {verbs: ['*'], apiGroups: ['*'], resources: ['*'], subresources: ['*']};
const allowAll: TestPolicy = {rules: [{name: 'all', effect: 'Allow', operations: [anything]}]};
const conditionOn = (expression: string): TestPolicy => ({
  rules: [{name: 'all', effect: 'Allow', operations: [anything], conditions: [{name: 'c', expression}]}],
});

const create = operation({verb: 'create', method: 'POST', resource: 'configmaps'});
const now = () => new Date('2026-01-01T00:00:00Z');

/** Decides one call; `reached` is what the next filter gets. */
async function decided(bundles: Bundles, of: Operation, requested: Requested = {}) {
  const {call, log} = callOf({method: of.method, url: of.requestURI, ...requested});
  const reached: Decided[] = [];
  const filter = withDecision({bundles, maximumBodyBytes: 64, now, maskText}, async (_call, each) => {
    reached.push(each);
  });
  await filter(call, {agent: agent(), operation: of});
  const [first] = reached;
  if (first === undefined) throw new Error('the next filter was not reached');
  return {call, log, reached: first};
}

describe('without policy', () => {
  test('everything is denied until the first bundle', async () => {
    const bundles = new Bundles({maximumStalenessSeconds: 300, now: () => 0});
    await expect(decided(bundles, operation())).rejects.toMatchObject({
      code: 'NoBundle',
      httpStatus: 503,
      retryAfterSeconds: 2,
    });
  });

  describe('past the maximum staleness', () => {
    const version = operation({isResourceRequest: false, path: '/version', resource: '', namespace: ''});
    const open: TestPolicy = {
      namespace: rootNamespace,
      rules: [{name: 'all', effect: 'Allow', operations: [anything, {verbs: ['*'], nonResourceURLs: ['*']}]}],
    };

    async function afterSilence(of: Operation) {
      let clock = 0;
      const bundles = new Bundles({maximumStalenessSeconds: 300, now: () => clock});
      bundles.heard();
      bundles.offer(bundleOf([open]), 'test');
      clock = 301_000;
      return decided(bundles, of);
    }

    test.each<[string, Operation]>([
      ['get', operation({verb: 'get'})],
      ['list', operation({verb: 'list'})],
      ['watch', operation({verb: 'watch'})],
      ['get of a path', {...version, verb: 'get'}],
      ['head of a path', {...version, verb: 'head'}],
    ])('%s goes on', async (_name, of) => {
      expect((await afterSilence(of)).reached.decision.outcome).toBe('Allowed');
    });

    test.each<[string, Operation]>([
      ['create', operation({verb: 'create'})],
      ['update', operation({verb: 'update'})],
      ['patch', operation({verb: 'patch'})],
      ['delete', operation({verb: 'delete'})],
      ['deletecollection', operation({verb: 'deletecollection'})],
      ['a verb of tomorrow', operation({verb: 'splice'})],
      ['exec by GET', operation({verb: 'get', subresource: 'exec'})],
      ['a path behind a proxy', operation({verb: 'get', resource: 'services', subresource: 'proxy'})],
      ['post to a path', {...version, verb: 'post'}],
    ])('%s is refused', async (_name, of) => {
      await expect(afterSilence(of)).rejects.toMatchObject({code: 'StaleBundle', httpStatus: 503});
    });
  });

  test('staleness says when the operator was last heard', async () => {
    let clock = 0;
    const bundles = new Bundles({maximumStalenessSeconds: 300, now: () => clock});
    bundles.heard();
    bundles.offer(bundleOf([allowAll]), 'test');
    clock = 400_000;
    await expect(decided(bundles, create)).rejects.toMatchObject({
      message: 'the operator was last heard 400 s ago; writes wait until it is back',
      httpStatus: 503,
      retryAfterSeconds: 5,
    });
  });
});

describe('denied', () => {
  const deny: TestPolicy = {
    rules: [{name: 'no-secrets', effect: 'Deny', operations: [anything], message: 'ask the platform team'}],
  };

  test.each<[string, Operation, object]>([
    ['an object', operation({verb: 'get', resource: 'secrets', name: 'db'}), {name: 'db', kind: 'secrets'}],
    ['a group', operation({resource: 'deployments', apiGroup: 'apps'}), {group: 'apps', kind: 'deployments'}],
  ])('names %s as the API server does', async (_name, of, details) => {
    await expect(decided(bundlesOf([deny]), of)).rejects.toMatchObject({
      code: 'PolicyDenied',
      httpStatus: 403,
      message: 'policy payments/agents, rule no-secrets: ask the platform team',
      details,
    });
  });

  test('a path that is no resource has no details', async () => {
    const of = operation({isResourceRequest: false, verb: 'get', path: '/metrics', resource: '', namespace: ''});
    await expect(decided(bundlesOf([deny]), of)).rejects.toMatchObject({code: 'PolicyDenied', details: undefined});
  });

  test('by default, saying what no policy allows', async () => {
    await expect(decided(bundlesOf([]), operation())).rejects.toMatchObject({
      code: 'PolicyDenied',
      message: 'no policy allows agent:build-bot to list pods in namespace payments',
    });
  });

  test('the decision is on record', async () => {
    const {call, log} = callOf();
    const filter = withDecision({bundles: bundlesOf([deny]), maximumBodyBytes: 64, now, maskText}, async () => {});
    await expect(async () => filter(call, {agent: agent(), operation: operation()})).rejects.toThrow();
    await call.record.refused(call.recorded(), {code: 403});
    expect(log.last.annotations).toMatchObject({
      'lockkeeper.dev/decision': 'Denied',
      'lockkeeper.dev/policy': 'payments/agents',
      'lockkeeper.dev/rule': 'no-secrets',
    });
  });
});

describe('an upgrade', () => {
  const exec = operation({verb: 'create', method: 'POST', subresource: 'exec', name: 'web'});
  const upgrade = {headers: {upgrade: 'SPDY/3.1', connection: 'Upgrade'}};

  test('that policy allows is refused with 501 that names it', async () => {
    await expect(decided(bundlesOf([allowAll]), exec, upgrade)).rejects.toMatchObject({
      code: 'UpgradeUnsupported',
      httpStatus: 501,
      message: expect.stringContaining('pods/exec'),
    });
  });

  test('that policy denies is denied', async () => {
    await expect(decided(bundlesOf([]), exec, upgrade)).rejects.toMatchObject({code: 'PolicyDenied'});
  });
});

describe('the body', () => {
  const body = '{"data":{"a":"b"}}';

  test('is left alone where nobody needs it', async () => {
    const {reached, call} = await decided(bundlesOf([allowAll]), create, {body: 'x'.repeat(1000)});
    expect(reached.body).toBeUndefined();
    expect(call.request.readableDidRead).toBe(false);
  });

  test('is read for a condition, and goes on', async () => {
    const bundles = bundlesOf([conditionOn("object.data.a == 'b'")]);
    const {reached} = await decided(bundles, create, {body});
    expect(reached.body?.bytes.toString()).toBe(body);
    await expect(decided(bundles, create, {body: '{"data":{"a":"c"}}'})).rejects.toMatchObject({code: 'PolicyDenied'});
  });

  test('of a patch is the patch', async () => {
    const patch = operation({verb: 'patch', method: 'PATCH', resource: 'configmaps', name: 'c'});
    const bundles = bundlesOf([conditionOn("patch.data.a == 'b'")]);
    await decided(bundles, patch, {body, headers: {'content-type': 'application/merge-patch+json'}});
  });

  test('that is not there is null', async () => {
    await decided(bundlesOf([conditionOn('object == null')]), create);
  });

  test('that policy cannot look into fails the condition', async () => {
    const headers = {'content-type': 'application/vnd.kubernetes.protobuf'};
    await expect(decided(bundlesOf([conditionOn('object == null')]), create, {body, headers})).rejects.toMatchObject({
      code: 'PolicyDenied',
    });
  });

  test('in CBOR is read like JSON', async () => {
    const bundles = bundlesOf([conditionOn("object.data.a == 'b'")]);
    const cbor = Buffer.from(encode(JSON.parse(body)));
    await decided(bundles, create, {body: cbor, headers: {'content-type': 'application/cbor'}});
    const other = Buffer.from(encode({data: {a: 'c'}}));
    await expect(
      decided(bundles, create, {body: other, headers: {'content-type': 'application/cbor'}}),
    ).rejects.toMatchObject({code: 'PolicyDenied'});
    const patch = operation({verb: 'patch', method: 'PATCH', resource: 'configmaps', name: 'c'});
    const applied = bundlesOf([conditionOn("patch.data.a == 'b'")]);
    await decided(applied, patch, {body: cbor, headers: {'content-type': 'application/apply-patch+cbor'}});
  });

  const field = (number: number, content: string) => String.fromCharCode((number << 3) | 2, content.length) + content;
  const inProtobuf = (apiVersion: string, kind: string, object: string) => ({
    body: `k8s\0${field(1, field(1, apiVersion) + field(2, kind))}${field(2, object)}`,
    headers: {'content-type': 'application/vnd.kubernetes.protobuf'},
  });

  test('in protobuf is read like JSON', async () => {
    const bundles = bundlesOf([conditionOn("object.data.a == 'b'")]);
    await decided(bundles, create, inProtobuf('v1', 'ConfigMap', field(2, field(1, 'a') + field(2, 'b'))));
    await expect(
      decided(bundles, create, inProtobuf('v1', 'ConfigMap', field(2, field(1, 'a') + field(2, 'c')))),
    ).rejects.toMatchObject({code: 'PolicyDenied'});
  });

  test('in protobuf, of a kind that is not built in, is read for its metadata, and a condition on more says what would help', async () => {
    const thing = inProtobuf('x/v1', 'Thing', field(1, field(1, 'agent-a')));
    await decided(bundlesOf([conditionOn("object.metadata.name.startsWith('agent-')")]), create, thing);
    await expect(decided(bundlesOf([conditionOn('!has(object.data.secret)')]), create, thing)).rejects.toMatchObject({
      code: 'PolicyDenied',
      message: expect.stringMatching(/protobuf.*send JSON/),
    });
  });

  test('in YAML fails the condition, and says what would help', async () => {
    const patch = operation({verb: 'patch', method: 'PATCH', resource: 'configmaps', name: 'c'});
    const headers = {'content-type': 'application/apply-patch+yaml'};
    await expect(
      decided(bundlesOf([conditionOn('has(patch.data)')]), patch, {body: 'data: {a: b}', headers}),
    ).rejects.toMatchObject({
      code: 'PolicyDenied',
      message: expect.stringContaining('a body of application/apply-patch+yaml cannot be read; send JSON'),
    });
  });

  const needed = bundlesOf([conditionOn('object != null')]);
  test.each<[string, Requested, string, number]>([
    ['larger than the limit', {body: 'x'.repeat(65)}, 'BodyTooLarge', 413],
    [
      'larger than the limit in chunks',
      {body: 'x'.repeat(65), headers: {'transfer-encoding': 'chunked'}},
      'BodyTooLarge',
      413,
    ],
    ['in an encoding', {body, headers: {'content-encoding': 'gzip'}}, 'BodyUnreadable', 415],
    ['that is no JSON', {body: '{"a":'}, 'BodyUnreadable', 400],
    ['that could be read in two ways', {body: '{"a":1,"a":2}'}, 'BodyUnreadable', 400],
    [
      'that is no CBOR',
      {body: Buffer.from([0xa1, 0x01]), headers: {'content-type': 'application/cbor'}},
      'BodyUnreadable',
      400,
    ],
    ['that is no UTF-8', {body: Buffer.from([0x22, 0xff, 0x22])}, 'BodyUnreadable', 400],
  ])('%s is refused', async (_name, requested, code, httpStatus) => {
    await expect(decided(needed, create, requested)).rejects.toMatchObject({name: 'Refusal', code, httpStatus});
  });

  test('as long as the limit is read', async () => {
    await decided(needed, create, {body: JSON.stringify('x'.repeat(62))});
  });

  test('in chunks is read', async () => {
    const {reached} = await decided(needed, create, {body, headers: {'transfer-encoding': 'chunked'}});
    expect(reached.body?.bytes.toString()).toBe(body);
  });

  test('is on record, masked, from level Request on', async () => {
    const card = '{"data":{"card":"4111111111111111"}}';
    const {call} = await decided(bundlesOf([{...allowAll, audit: {level: 'Request'}}]), create, {body: card});
    expect(call.requestObject).toBe('{"data":{"card":"************1111"}}');
    expect((await decided(bundlesOf([allowAll]), create, {body: card})).call.requestObject).toBeUndefined();
  });
});

describe('a body that only a DryRun policy looks at', () => {
  const watching: TestPolicy = {
    name: 'tried',
    enforcementMode: 'DryRun',
    rules: [
      {
        name: 'no-a',
        effect: 'Deny',
        operations: [anything],
        conditions: [{name: 'c', expression: "object.data.a == 'b'"}],
      },
    ],
  };
  const bundles = bundlesOf([allowAll, watching]);

  test('is read where it can be, and what the policy would have done is told', async () => {
    const body = '{"data":{"a":"b"}}';
    const {reached} = await decided(bundles, create, {body});
    expect(reached.decision.dryRun).toMatchObject([{policy: 'payments/tried', rule: 'no-a', effect: 'Deny'}]);
    expect(reached.body?.bytes.toString()).toBe(body);
    const {decision} = (await decided(bundles, create, {body: '{"data":{"a":"c"}}'})).reached;
    expect(decision.dryRun).toEqual([]);
  });

  test.each<[string, Requested, boolean]>([
    ['larger than the limit', {body: 'x'.repeat(65)}, false],
    ['of unknown length', {body: 'x'.repeat(65), headers: {'transfer-encoding': 'chunked'}}, false],
    ['in an encoding', {body: 'zipped', headers: {'content-encoding': 'gzip'}}, false],
    ['that is no JSON', {body: '{"a":'}, true],
  ])('%s is not refused for it, and goes on whole', async (_name, requested, read) => {
    const {reached, call} = await decided(bundles, create, requested);
    expect(reached.body?.bytes.toString()).toBe(read ? requested.body : undefined);
    expect(call.request.readableDidRead).toBe(read);
    // Not known is a match for Deny.
    expect(reached.decision.dryRun).toMatchObject([{rule: 'no-a', error: expect.any(String)}]);
  });
});

describe('decided again after a wait', () => {
  const deps = (bundles: Bundles) => ({bundles, now});
  const waited = async (policies: readonly TestPolicy[]) => {
    const {reached} = await decided(bundlesOf(policies), create, {body: '{"data":{"a":"b"}}'});
    return {...reached, agent: agent({expiresAtMilliseconds: now().getTime() + 1})};
  };

  test('by the bundle that is in force by then', async () => {
    const before = await waited([conditionOn("object.data.a == 'b'")]);
    expect(redecide(deps(bundlesOf([allowAll])), before)).toMatchObject({outcome: 'Allowed'});
    expect(redecide(deps(bundlesOf([])), before)).toMatchObject({outcome: 'Denied'});
  });

  test('with the body that was read', async () => {
    const before = await waited([conditionOn("object.data.a == 'b'")]);
    const narrower = bundlesOf([conditionOn("object.data.a == 'c'")]);
    expect(redecide(deps(narrower), before)).toMatchObject({outcome: 'Denied'});
  });

  test('a token that expired meanwhile is refused with 401', async () => {
    const before = {...(await waited([allowAll])), agent: agent({expiresAtMilliseconds: now().getTime()})};
    expect(() => redecide(deps(bundlesOf([allowAll])), before)).toThrow(
      expect.objectContaining({code: 'Unauthenticated', httpStatus: 401}),
    );
  });
});
