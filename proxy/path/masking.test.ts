import type {IncomingHttpHeaders} from 'node:http';
import {describe, expect, test} from '@jest/globals';
import type {MaskingEntry} from '../../core/api/agentaccesspolicy.ts';
import {sumOf} from '../../core/mask/counts.ts';
import type {Bundle} from '../../core/policy/bundle.ts';
import {select} from '../../core/policy/evaluate.ts';
import {bundleHash} from '../../core/policy/hash.ts';
import {loadBundle} from '../../core/policy/loadbundle.ts';
import {decide, type Permitted} from '../../core/policy/permitted.ts';
import type {Operation} from '../../core/request/operation.ts';
import {agent, operation} from '../../test/operations.ts';
import {bundleOf, callOf, rootNamespace, type TestPolicy} from '../../test/proxy/call.ts';
import type {Dispatchable} from '../forward/forward.ts';
import {withMasking} from './masking.ts';
import {unexpectedPAN} from './unexpected.ts';

const pan = '4111111111111111';
const masked = '************1111';
const masking: MaskingEntry[] = [{name: 'cards', detector: 'PAN'}];

/** What policy permits of an operation where it allows everything, with the obligations that it adds. */
function permittedBy(policy: TestPolicy, of: Operation, change: (bundle: Bundle) => Bundle = (bundle) => bundle) {
  const operations = [{verbs: ['*'], apiGroups: ['*'], resources: ['*'], subresources: ['*']}];
  const changed = change(bundleOf([{rules: [{name: 'all', effect: 'Allow', operations}], ...policy}]));
  const bundle = loadBundle({...changed, hash: bundleHash(changed)});
  const decision = decide(select(bundle, agent(), of), {now: new Date(0)});
  if (decision.outcome !== 'Allowed') throw new Error(decision.outcome);
  return decision.permitted;
}

interface Of {
  readonly policy?: TestPolicy;
  readonly operation?: Operation;
  readonly accept?: string;
  readonly method?: string;
  readonly permitted?: Permitted;
}

/** A call past the filter: what is asked upstream, and how an answer passes. */
async function passing({policy = {masking}, accept, method = 'GET', ...of}: Of = {}) {
  const {call} = callOf({method, headers: {accept}});
  const forwarded: Dispatchable[] = [];
  const permitted = of.permitted ?? permittedBy(policy, of.operation ?? operation());
  await withMasking(async (_call, each) => void forwarded.push(each))(call, {decided: undefined as never, permitted});
  const [dispatchable] = forwarded;
  if (dispatchable === undefined) throw new Error('nothing was forwarded');
  const answer = (chunks: readonly string[], headers: IncomingHttpHeaders = json, status = 200) => {
    const out: Buffer[] = [];
    const emit = (bytes: Buffer) => void out.push(Buffer.from(bytes));
    const reader = dispatchable.openBody(status, headers);
    for (const chunk of chunks) reader.push(Buffer.from(chunk), emit);
    reader.end(emit);
    return Buffer.concat(out).toString();
  };
  const headersOf = (headers: IncomingHttpHeaders, status = 200) =>
    dispatchable.openBody(status, headers).headers ?? headers;
  return {call, asked: dispatchable.accept, answer, headersOf};
}

const json = {'content-type': 'application/json'};
const text = {'content-type': 'text/plain'};
const protobuf = {'content-type': 'application/vnd.kubernetes.protobuf'};

describe('where policy masks', () => {
  test.each<[string, IncomingHttpHeaders, string[], string]>([
    ['JSON', json, [`{"a":"${pan}"}`], `{"a":"${masked}"}`],
    ['JSON in pieces', json, ['{"a":"4111', '1111', '11111111"}'], `{"a":"${masked}"}`],
    ['text', text, [`paid with ${pan}\n`], `paid with ${masked}\n`],
    [
      'a watch',
      {'content-type': 'application/json;stream=watch'},
      [`{"a":"${pan}"}\n`, '{}\n'],
      `{"a":"${masked}"}\n{}\n`,
    ],
  ])('%s is masked', async (_name, headers, chunks, expected) => {
    const {answer, call} = await passing();
    expect(answer(chunks, headers)).toBe(expected);
    expect(call.masked[0]?.counts.PAN).toBe(1);
  });

  test('a schema, which cannot be overwritten, passes as long as no card number is in it', async () => {
    const schema = {'content-type': 'application/com.github.proto-openapi.spec.v2.v1.0+protobuf'};
    const paths = [{verbs: ['*'], nonResourceURLs: ['*']}];
    const rules = [{name: 'paths', effect: 'Allow' as const, operations: paths}];
    const policy = {masking, namespace: rootNamespace, rules};
    const nonResource = operation({isResourceRequest: false, path: '/openapi/v2', resource: '', namespace: ''});
    const {answer, asked} = await passing({policy, operation: nonResource, accept: '*/*'});
    expect(asked).toBe('application/json, */*');
    expect(answer(['\n\u00102.0 4111'], schema)).toBe('\n\u00102.0 4111');
    expect(() => answer(['\n4111', '1111', '11111111'], schema)).toThrow('card number');
    const behindService = await passing({operation: operation({subresource: 'proxy'})});
    expect(() => behindService.answer(['x'], schema)).toThrow('cannot be masked');
  });

  test('what is masked in one answer is not counted for the next', async () => {
    const first = await passing();
    const permitted = permittedBy({masking}, operation());
    const filter = withMasking(async (_call, {openBody}) => {
      const reader = openBody(200, text);
      reader.push(Buffer.from(`${pan} ${pan} `), () => {});
      reader.end(() => {});
    });
    const [one, other] = [callOf().call, callOf().call];
    await filter(one, {decided: undefined as never, permitted});
    await filter(other, {decided: undefined as never, permitted});
    expect([one.masked[0]?.counts.PAN, other.masked[0]?.counts.PAN]).toEqual([2, 2]);
    expect(first.call.masked).toEqual([]);
  });

  test('one answer never carries bytes of another, not of one that was given up either', async () => {
    const permitted = permittedBy({masking}, operation());
    const out: string[] = [];
    const filter = withMasking(async ({request}, {openBody}) => {
      const reader = openBody(200, text);
      // The digits are held back: more could follow.
      reader.push(
        Buffer.from(request.url === '/given-up' ? '41111111' : '11111111'),
        (bytes) => void out.push(`${bytes}`),
      );
      if (request.url !== '/given-up') reader.end((bytes) => void out.push(`${bytes}`));
    });
    for (const url of ['/given-up', '/', '/given-up', '/'])
      await filter(callOf({url}).call, {decided: undefined as never, permitted});
    expect(out.join('')).toBe('1111111111111111');
  });

  test('readable types are asked for', async () => {
    const {asked} = await passing({accept: 'application/vnd.kubernetes.protobuf,application/json'});
    expect(asked).toBe('application/json');
    expect((await passing()).asked).toBe('application/json');
  });

  test('a client that takes nothing readable is refused with 406', async () => {
    await expect(passing({accept: 'application/vnd.kubernetes.protobuf'})).rejects.toMatchObject({
      code: 'NotAcceptable',
      httpStatus: 406,
      message: expect.stringContaining('application/vnd.kubernetes.protobuf'),
    });
  });

  test.each<[string, IncomingHttpHeaders]>([
    ['protobuf', protobuf],
    ['no media type', {}],
    ['an encoding', {...json, 'content-encoding': 'gzip'}],
    ['another charset', {'content-type': 'text/plain; charset=utf-16'}],
  ])('an answer with %s is refused with 502', async (_name, headers) => {
    const {answer} = await passing();
    expect(() => answer([pan], headers)).toThrow(
      expect.objectContaining({name: 'Refusal', code: 'MaskingImpossible', httpStatus: 502}),
    );
  });

  test.each<[string, string, number, IncomingHttpHeaders]>([
    ['HEAD', 'HEAD', 200, {...protobuf, 'content-length': '1234'}],
    ['204', 'DELETE', 204, {}],
    ['304', 'GET', 304, {}],
    ['a length of 0', 'GET', 200, {'content-length': '0'}],
  ])('the answer to %s has no body that would have to be read', async (_name, method, status, headers) => {
    const {answer} = await passing({method});
    expect(answer([], headers, status)).toBe('');
  });

  test('the values of Secrets are masked inside their base64', async () => {
    const data = (value: string) => `{"data":{"card":"${Buffer.from(value).toString('base64')}"}}`;
    const {answer} = await passing({operation: operation({resource: 'secrets'})});
    expect(answer([data(`card ${pan}`)])).toBe(data(`card ${masked}`));
  });

  test('base64 of anything else is left alone', async () => {
    const body = `{"data":{"card":"${Buffer.from(`card ${pan}`).toString('base64')}"}}`;
    expect((await passing()).answer([body])).toBe(body);
  });
});

describe('the headers of an answer', () => {
  const date = 'Sat, 22 Nov 2025 04:54:11 GMT';

  test.each<[string, IncomingHttpHeaders, IncomingHttpHeaders]>([
    ['a Location', {location: `/cards/${pan}?x=1`}, {location: `/cards/${masked}?x=1`}],
    ['a warning', {...json, warning: `299 - "no card ${pan}"`}, {...json, warning: `299 - "no card ${masked}"`}],
    ['each of several', {'set-cookie': ['a=1', `b=${pan}`]}, {'set-cookie': ['a=1', `b=${masked}`]}],
    ['a date that is none', {date: pan}, {date: masked}],
    ['a type', {'content-type': `text/plain; x=${pan}`}, {'content-type': `text/plain; x=${masked}`}],
    ['bytes that are no ASCII', {x: `\u00e9 ${pan}`}, {x: `\u00e9 ${masked}`}],
  ])('with a card number in %s are masked', async (_name, headers, shown) => {
    const {headersOf, call} = await passing();
    expect(headersOf({...text, ...headers})).toEqual({...text, ...shown});
    expect(sumOf(call.masked.map(({counts}) => counts)).PAN).toBe(1);
  });

  test.each(['GET', 'HEAD'])('are masked without a body too, as in the answer to %s', async (method) => {
    const {headersOf} = await passing({method});
    expect(headersOf({location: `/${pan}`, 'content-length': '0'}, 302)).toMatchObject({location: `/${masked}`});
  });

  test('pass as they are where nothing is found, and where no policy masks', async () => {
    const status = {':status': 200 as unknown as string};
    const usual = {
      ...status,
      ...json,
      date,
      'content-length': '123',
      'audit-id': '4a11f111-1111-4111-8111-111111111111',
    };
    expect((await passing()).headersOf(usual)).toBe(usual);
    const policy = {masking: [...masking, {name: 'codes', detector: 'CardVerificationCode' as const}]};
    const {headersOf, call} = await passing({policy});
    // One masker, for the body.
    expect([headersOf(usual), call.masked.length]).toEqual([usual, 1]);
    expect(headersOf({...usual, warning: '299 - "cvv: 123"'})).toMatchObject({warning: '299 - "cvv: ***"'});
    const found = {...json, location: `/${pan}`};
    expect((await passing({policy: {}})).headersOf(found)).toBe(found);
  });
});

describe('a card number where policy expects none', () => {
  const unexpected: MaskingEntry[] = [
    {name: 'cards', detector: 'PAN', unexpected: true, exemptions: [{namespaces: ['vault']}]},
  ];
  const body = `{"a":"${pan}","b":"${pan}"}`;

  test.each<[string, Parameters<typeof operation>[0], object]>([
    [
      'in an object',
      {verb: 'get', resource: 'deployments', apiGroup: 'apps', name: `web-${pan}`},
      {resource: 'deployments.apps', namespace: 'payments', name: `web-${masked}`},
    ],
    ['in a log', {subresource: 'log', name: 'web'}, {resource: 'pods/log', namespace: 'payments', name: 'web'}],
  ])('%s is reported with its place', async (_name, of, place) => {
    const {answer, call} = await passing({policy: {masking: unexpected}, operation: operation(of)});
    expect(unexpectedPAN(call)).toBeUndefined();
    answer([body]);
    expect(unexpectedPAN(call)).toEqual({...place, count: 2, fields: expect.any(Array)});
  });

  test('is not reported where there is none, nor where the entry does not apply', async () => {
    const none = await passing({policy: {masking: unexpected}});
    none.answer(['{}']);
    expect(unexpectedPAN(none.call)).toBeUndefined();
    const exempt = [...masking, {...unexpected[0], name: 'x', exemptions: [{namespaces: ['pay*']}]}] as MaskingEntry[];
    const expected = await passing({policy: {masking: exempt}});
    expect(expected.answer([body])).toBe(body.replaceAll(pan, masked));
    expect(unexpectedPAN(expected.call)).toBeUndefined();
  });
});

describe('a rule that lifts masking', () => {
  const operations = [{verbs: ['*'], apiGroups: ['*'], resources: ['*'], subresources: ['*']}];
  const rules = [{name: 'see', effect: 'Allow' as const, operations, unmasked: true}];

  test('shows the agent everything, and the record nothing', async () => {
    const {answer, asked, call} = await passing({
      policy: {masking, rules, audit: {level: 'RequestResponse'}},
      accept: 'application/vnd.kubernetes.protobuf,application/json',
    });
    expect(asked).toBe('application/vnd.kubernetes.protobuf,application/json');
    expect(answer([`{"a":"${pan}"}`])).toBe(`{"a":"${pan}"}`);
    expect(call.responseObject).toBe(`{"a":"${masked}"}`);
    expect(call.masked).toEqual([]);
  });
});

test('where an entry cannot be honoured, the call is refused before it leaves', async () => {
  const permitted = permittedBy({masking}, operation(), (bundle) => ({
    ...bundle,
    policies: bundle.policies.map((policy) => ({...policy, masking: [{name: 'iris', detector: 'Iris'}]})),
  }));
  await expect(passing({permitted})).rejects.toMatchObject({
    code: 'MaskingImpossible',
    httpStatus: 403,
    message: expect.stringContaining('Iris'),
  });
});

describe('where policy does not mask', () => {
  test.each<[string, IncomingHttpHeaders]>([
    ['JSON', json],
    ['protobuf', protobuf],
    ['what has no type', {}],
  ])('%s passes as it is, and is asked for as the client asked', async (_name, headers) => {
    const accept = 'application/vnd.kubernetes.protobuf';
    const {asked, answer, call} = await passing({policy: {}, accept});
    expect(asked).toBe(accept);
    expect(answer([pan], headers)).toBe(pan);
    expect(call.masked).toEqual([]);
  });
});

describe('the record of the answer', () => {
  const audit = {level: 'RequestResponse'} as const;

  test.each<[string, TestPolicy, string]>([
    ['that was masked', {audit, masking}, masked],
    ['that was not', {audit}, pan],
  ])('%s is masked', async (_name, policy, given) => {
    const {answer, call} = await passing({policy});
    expect(answer(['{"a":', `"${pan}"}`])).toBe(`{"a":"${given}"}`);
    expect(call.responseObject).toBe(`{"a":"${masked}"}`);
  });

  test('holds no track, where the agent is shown it but for the card number', async () => {
    const track = `%B${pan}^DOE/JANE^29122010000000000?`;
    const {answer, call} = await passing({policy: {audit, masking}});
    expect(answer([JSON.stringify({track})])).toBe(JSON.stringify({track: track.replace(pan, masked)}));
    expect(call.responseObject).not.toMatch(/[0-9]{4}|DOE/);
  });

  test('is not kept past its bound', async () => {
    const {answer, call} = await passing({policy: {audit}});
    const long = 'x'.repeat(64 * 1024);
    expect(answer([long, 'y'], text)).toBe(`${long}y`);
    expect(call.responseObject).toBeNull();
  });

  test('never holds the values of Secrets', async () => {
    for (const policy of [{audit}, {audit, masking}]) {
      const {answer, call} = await passing({policy, operation: operation({resource: 'secrets'})});
      answer(['{"data":{"password":"c3VwZXItc2VjcmV0"}}']);
      expect(call.responseObject ?? '').not.toContain('c3VwZXItc2VjcmV0');
    }
  });

  test.each(['Metadata', 'Request'] as const)('is not kept at level %s', async (level) => {
    const {answer, call} = await passing({policy: {audit: {level}, masking}});
    answer(['{}']);
    expect(call.responseObject).toBeUndefined();
  });
});
