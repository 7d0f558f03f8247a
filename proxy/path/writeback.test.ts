import {gzipSync} from 'node:zlib';
import {describe, expect, test} from '@jest/globals';
import {maskText} from '../../core/mask/createmasker.ts';
import type {Operation} from '../../core/request/operation.ts';
import {agent, operation} from '../../test/operations.ts';
import {bundlesOf, callOf, type Requested, type TestPolicy} from '../../test/proxy/call.ts';
import {type Decided, withDecision} from './decision.ts';
import {withWriteBack} from './writeback.ts';

const masked = '************1111';
const anything = {verbs: ['*'], apiGroups: ['*'], resources: ['*'], subresources: ['*']};
const masking: TestPolicy = {
  rules: [{name: 'all', effect: 'Allow', operations: [anything]}],
  masking: [{name: 'cards', detector: 'PAN'}],
};
const json = {'content-type': 'application/json'};

const of = (verb: string, more: Partial<Operation> = {}): Operation =>
  operation({verb, resource: 'configmaps', name: 'orders', ...more});

/** What the next filter gets of a call that is decided by this policy. */
async function passing(write: Operation, requested: Requested = {}, policy: TestPolicy = masking): Promise<Decided> {
  const {call} = callOf({method: 'POST', headers: json, ...requested});
  const reached: Decided[] = [];
  const deps = {bundles: bundlesOf([policy]), maximumBodyBytes: 1024, now: () => new Date(0), maskText};
  const filter = withDecision(
    deps,
    withWriteBack(deps, async (_call, each) => void reached.push(each)),
  );
  await filter(call, {agent: agent(), operation: write});
  const [first] = reached;
  if (first === undefined) throw new Error('the next filter was not reached');
  return first;
}

const body = (card: string) => JSON.stringify({kind: 'ConfigMap', data: {card, color: 'red'}});

test.each(['create', 'update', 'patch'])('a %s with a masked value is refused, and says where', async (verb) => {
  await expect(passing(of(verb), {body: body(masked)})).rejects.toMatchObject({
    code: 'MaskedWriteBack',
    httpStatus: 422,
    message: expect.stringContaining('data.card: a masked value would take the place of the real one'),
    details: {
      name: 'orders',
      kind: 'configmaps',
      causes: [{reason: 'FieldValueInvalid', field: 'data.card', message: expect.stringContaining('real value')}],
    },
  });
});

test('a write without masked values passes with the body that was read', async () => {
  const {body: passed} = await passing(of('update'), {body: body('4111')});
  expect(passed?.bytes.toString()).toBe(body('4111'));
});

test.each<[string, string, string]>([
  ['JSON patch', 'application/json-patch+json', JSON.stringify([{op: 'add', path: '/data/card', value: masked}])],
  ['merge patch', 'application/merge-patch+json', JSON.stringify({data: {card: masked}})],
  ['strategic merge patch', 'application/strategic-merge-patch+json', JSON.stringify({data: {card: masked}})],
  ['server-side apply', 'application/apply-patch+yaml', JSON.stringify({data: {card: masked}})],
  ['server-side apply of YAML', 'application/apply-patch+yaml', `data:\n  card: ${masked}\n`],
  ['server-side apply of CBOR', 'application/apply-patch+cbor', '\u00a1ddata\u00a1dcardp************1111'],
])('a masked value in a %s is refused', async (_name, contentType, content) => {
  const requested = {headers: {'content-type': contentType}, body: Buffer.from(content, 'latin1')};
  await expect(passing(of('patch'), requested)).rejects.toMatchObject({code: 'MaskedWriteBack'});
});

test.each<[string, string, string]>([
  ['JSON patch', 'application/json-patch+json', JSON.stringify([{op: 'test', path: '/data/card', value: masked}])],
  ['merge patch', 'application/merge-patch+json', JSON.stringify({data: {color: 'green'}})],
  ['server-side apply of YAML', 'application/apply-patch+yaml', 'data:\n  color: green\n'],
])('a %s that does not touch what is masked passes', async (_name, contentType, content) => {
  const {body: passed} = await passing(of('patch'), {headers: {'content-type': contentType}, body: content});
  expect(passed?.bytes.toString()).toBe(content);
});

test('in the data of Secrets base64 is read', async () => {
  const secret = {resource: 'secrets', apiGroup: ''};
  const content = body(Buffer.from(masked).toString('base64'));
  await expect(passing(of('update', secret), {body: content})).rejects.toMatchObject({code: 'MaskedWriteBack'});
  await passing(of('update'), {body: content});
});

test('protobuf that cannot be read is searched all the same', async () => {
  const requested = {
    headers: {'content-type': 'application/vnd.kubernetes.protobuf'},
    body: `k8s\0\u0008\u0010${masked}`,
  };
  await expect(passing(of('create'), requested)).rejects.toMatchObject({
    code: 'MaskedWriteBack',
    details: {causes: [{field: 'body'}]},
  });
});

describe('a body that cannot be searched is refused', () => {
  test.each<[string, Requested, object]>([
    ['compressed', {headers: {...json, 'content-encoding': 'gzip'}, body: gzipSync(body('x'))}, {httpStatus: 415}],
    ['no JSON', {body: '{"data":'}, {httpStatus: 400}],
    ['not UTF-8', {body: Buffer.from([0x22, 0xff, 0x22])}, {httpStatus: 400}],
    ['nested too deep', {body: '['.repeat(300) + ']'.repeat(300)}, {httpStatus: 400}],
    ['too large', {body: body('x'.repeat(2000))}, {code: 'BodyTooLarge', httpStatus: 413}],
  ])('%s', async (_name, requested, expected) => {
    await expect(passing(of('update'), requested)).rejects.toMatchObject({code: 'BodyUnreadable', ...expected});
  });

  test('also where only a policy that is tried has looked at it', async () => {
    const conditions = [{name: 'c', expression: 'object.data.a == "b"'}];
    const rules = [{name: 'tried', effect: 'Deny' as const, operations: [anything], conditions}];
    const bundles = bundlesOf([masking, {name: 'tried', enforcementMode: 'DryRun', rules}]);
    const deps = {bundles, maximumBodyBytes: 1024, now: () => new Date(0), maskText};
    const {call} = callOf({method: 'PUT', headers: json, body: '{"data":'});
    const filter = withDecision(
      deps,
      withWriteBack(deps, async () => {}),
    );
    await expect(filter(call, {agent: agent(), operation: of('update')})).rejects.toMatchObject({
      code: 'BodyUnreadable',
    });
  });
});

describe('not read is the body', () => {
  test.each<[string, Operation, TestPolicy]>([
    ['where nothing is masked', of('update'), {...masking, masking: []}],
    ['of what does not write an object', of('delete'), masking],
    ['of what goes through the API server', of('create', {resource: 'services', subresource: 'proxy'}), masking],
    ['of an exec', of('create', {resource: 'pods', subresource: 'exec'}), masking],
  ])('%s', async (_name, write, policy) => {
    expect((await passing(write, {body: body(masked)}, policy)).body).toBeUndefined();
  });
});
