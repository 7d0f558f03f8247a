import {afterEach, describe, expect, test} from '@jest/globals';
import {cardsPlan} from '../../test/maskplan.ts';
import {agent, operation} from '../../test/operations.ts';
import {type Asked, type Exchange, exchange, type Protocol} from '../../test/proxy/exchange.ts';
import {MemoryLog} from '../../test/proxy/recording.ts';
import {ClientGone} from '../forward/relay.ts';
import {Metrics} from '../serve/metrics.ts';
import {withAudit} from './audit.ts';
import type {Next} from './call.ts';
import {Refusal, StreamEnded} from './refusal.ts';

const protocols: readonly Protocol[] = ['HTTP/1.1', 'HTTP/2'];

let open: Exchange | undefined;
afterEach(() => open?.close());

/** Serves with the filter, behind it what the test makes of a call. */
async function audited(protocol: Protocol, next: Next<void>) {
  const log = new MemoryLog();
  const metrics = new Metrics();
  const internal: unknown[] = [];
  const unexpected: unknown[] = [];
  const served = Promise.withResolvers<void>();
  const serve = withAudit(
    {
      recorder: log.recorder(),
      metrics,
      onInternalError: (error) => internal.push(error),
      onUnexpectedPAN: (_, found) => unexpected.push(found),
    },
    next,
  );
  const exchanged = await exchange(protocol, (request, response) => {
    serve(request, response).then(served.resolve, served.reject);
  });
  open = exchanged;
  return {
    log,
    internal,
    unexpected,
    served: served.promise,
    ask: (asked?: Asked) => exchanged.ask(asked),
    /** The labels under which the one call was counted. */
    async counted() {
      const [metric] = (await metrics.registry.getMetricsAsJSON()).filter(
        ({name}) => name === 'lockkeeper_proxy_requests_total',
      );
      return metric?.values.map(({labels, value}) => ({...labels, value}));
    },
  };
}

/** Establishes who and what, as the filters behind do, and puts the intent on record. */
const intended =
  (then: Next<void>): Next<void> =>
  async (call) => {
    call.record.identified(agent());
    call.record.resolved(operation());
    call.verb = 'list';
    call.decision = {
      outcome: 'Allowed',
      by: {policy: 'payments/agents', rule: 'read', message: ''},
      permitted: undefined as never,
      masking: undefined,
      maskingRefusal: undefined,
      recordMasking: cardsPlan,
      unmasked: false,
      panUnexpected: false,
      auditLevel: 'Metadata',
      recordInput: false,
      dryRun: [],
      revision: '7',
    };
    await call.record.intent(call.recorded());
    call.intended = true;
    await then(call);
  };

describe.each(protocols)('over %s', (protocol) => {
  test('a forwarded call has its intent, then its outcome', async () => {
    const next = intended(async ({response}) => {
      response.writeHead(201, {'content-type': 'text/plain'});
      response.end('made');
    });
    const {ask, served, log, counted} = await audited(protocol, next);
    expect(await ask().answer()).toMatchObject({status: 201, body: 'made', whole: true});
    await served;
    expect(log.stages).toEqual(['RequestReceived', 'ResponseComplete']);
    expect(log.last).toMatchObject({
      responseStatus: {code: 201},
      user: {username: 'agent:build-bot'},
      annotations: {'lockkeeper.dev/decision': 'Allowed', 'lockkeeper.dev/policy': 'payments/agents'},
    });
    expect(log.last.annotations).not.toHaveProperty(['lockkeeper.dev/refusal']);
    expect(await counted()).toEqual([{verb: 'list', code: '201', outcome: 'Forwarded', value: 1}]);
  });

  test('a refused call has its one line and its Status', async () => {
    const {ask, served, log, counted} = await audited(protocol, async () => {
      throw new Refusal('Unauthenticated', 401, 'no bearer token');
    });
    const {status, headers, body, whole} = await ask({
      path: '/api/v1/pods',
      headers: {'user-agent': 'kubectl'},
    }).answer();
    expect({status, type: headers['content-type'], whole}).toEqual({
      status: 401,
      type: 'application/json',
      whole: true,
    });
    expect(JSON.parse(body)).toMatchObject({kind: 'Status', code: 401, message: 'no bearer token'});
    await served;
    expect(log.events).toMatchObject([
      {
        stage: 'ResponseComplete',
        verb: 'get',
        requestURI: '/api/v1/pods',
        user: {},
        responseStatus: {code: 401, message: 'no bearer token'},
        annotations: {'lockkeeper.dev/decision': 'Refused', 'lockkeeper.dev/refusal': 'Unauthenticated'},
      },
    ]);
    expect(await counted()).toEqual([{verb: '', code: '401', outcome: 'Unauthenticated', value: 1}]);
  });

  test('a refusal after the intent is its outcome', async () => {
    const cause = new Error('connect ECONNREFUSED');
    const next = intended(async () => {
      throw new Refusal('UpstreamUnavailable', 503, 'the API server cannot be reached', {retryAfterSeconds: 1, cause});
    });
    const {ask, served, log} = await audited(protocol, next);
    expect(await ask().answer()).toMatchObject({status: 503, headers: {'retry-after': '1'}});
    await served;
    expect(log.stages).toEqual(['RequestReceived', 'ResponseComplete']);
    expect(log.last).toMatchObject({
      responseStatus: {code: 503},
      annotations: {
        'lockkeeper.dev/decision': 'Allowed',
        'lockkeeper.dev/refusal': 'UpstreamUnavailable',
        'lockkeeper.dev/error': 'connect ECONNREFUSED',
      },
    });
  });

  test('a response that breaks off looks broken to the agent too', async () => {
    const next = intended(async ({response}) => {
      response.writeHead(200, {'content-type': 'application/json'});
      await new Promise((resolve) => response.write('{"items":[', resolve));
      throw new Error('the API server cut the stream');
    });
    const {ask, served, log, counted} = await audited(protocol, next);
    expect(await ask().answer()).toMatchObject({status: 200, body: '{"items":[', whole: false});
    await served;
    expect(log.last).toMatchObject({
      stage: 'ResponseComplete',
      responseStatus: {code: 200},
      annotations: {'lockkeeper.dev/error': 'the response broke off: the API server cut the stream'},
    });
    expect(await counted()).toEqual([{verb: 'list', code: '200', outcome: 'BrokenOff', value: 1}]);
  });

  test.each([
    ['and says so is whole', true],
    ['without a word looks broken to the agent', false],
  ])('a stream that is ended because it is permitted no longer %s, and why is on record', async (_name, whole) => {
    const next = intended(async (call) => {
      const {response} = call;
      response.writeHead(200, {'content-type': 'application/json'});
      call.record.responseStarted(200);
      await new Promise((resolve) => response.write('{}\n', resolve));
      if (whole) response.end('{"type":"ERROR"}\n');
      throw new StreamEnded(new Refusal('ApprovalRevoked', 403, 'AccessRequest payments/a-1 was revoked'));
    });
    const {ask, served, log, counted} = await audited(protocol, next);
    expect(await ask().answer()).toMatchObject({status: 200, whole});
    await served;
    expect(log.stages).toEqual(['RequestReceived', 'ResponseStarted', 'ResponseComplete']);
    expect(log.last).toMatchObject({
      responseStatus: {code: 403, reason: 'Forbidden', message: 'AccessRequest payments/a-1 was revoked'},
      annotations: {'lockkeeper.dev/decision': 'Allowed', 'lockkeeper.dev/refusal': 'ApprovalRevoked'},
    });
    expect(await counted()).toEqual([{verb: 'list', code: '200', outcome: 'ApprovalRevoked', value: 1}]);
  });

  test('a response of known length that breaks off looks broken to the agent too', async () => {
    const next = intended(async ({response}) => {
      response.writeHead(200, {'content-type': 'application/json', 'content-length': '100'});
      await new Promise((resolve) => response.write('{"items":[', resolve));
      throw new Error('masking failed');
    });
    const {ask} = await audited(protocol, next);
    expect(await ask().answer()).toMatchObject({whole: false});
  });

  test('an agent that goes away before its answer is on record as such', async () => {
    const reached = Promise.withResolvers<void>();
    const next = intended(({response}) => {
      reached.resolve();
      return new Promise((_resolve, reject) => {
        response.once('close', () => reject(new ClientGone('the agent went away')));
      });
    });
    const {ask, served, log, counted} = await audited(protocol, next);
    const asking = ask();
    await reached.promise;
    asking.leave();
    await served;
    expect(log.last).toMatchObject({
      stage: 'ResponseComplete',
      responseStatus: {code: 499},
      annotations: {'lockkeeper.dev/error': 'the agent went away'},
    });
    expect(await counted()).toEqual([{verb: 'list', code: '499', outcome: 'ClientGone', value: 1}]);
  });

  test('an agent that goes away in the middle of its answer is on record with the code it got', async () => {
    const next = intended(({response}) => {
      response.writeHead(200);
      response.write('so far');
      return new Promise((_resolve, reject) => {
        response.once('close', () => reject(new ClientGone('the agent went away')));
      });
    });
    const {ask, served, log, counted} = await audited(protocol, next);
    const asking = ask();
    await asking.head;
    asking.leave();
    await served;
    expect(log.last).toMatchObject({stage: 'ResponseComplete', responseStatus: {code: 200}});
    expect(await counted()).toEqual([{verb: 'list', code: '200', outcome: 'ClientGone', value: 1}]);
  });

  test('an agent that goes away before anything was decided has one line', async () => {
    const reached = Promise.withResolvers<void>();
    const {ask, served, log} = await audited(protocol, ({response}) => {
      reached.resolve();
      return new Promise((_resolve, reject) => {
        response.once('close', () => reject(new ClientGone('the agent went away')));
      });
    });
    const asking = ask();
    await reached.promise;
    asking.leave();
    await served;
    expect(log.events).toMatchObject([{stage: 'ResponseComplete', responseStatus: {code: 499}}]);
  });

  test("an error of the proxy's own tells the agent nothing, and the operator of the proxy all", async () => {
    const failure = new TypeError('cannot read properties of undefined');
    const {ask, served, log, internal} = await audited(protocol, async () => {
      throw failure;
    });
    const {status, body} = await ask().answer();
    expect(status).toBe(500);
    expect(body).not.toContain('undefined');
    await served;
    expect(internal).toEqual([failure]);
    expect(log.last).toMatchObject({
      responseStatus: {code: 500},
      annotations: {'lockkeeper.dev/refusal': 'Internal', 'lockkeeper.dev/error': failure.message},
    });
  });

  test('a call that cannot be recorded is refused with 503', async () => {
    const {ask, served, log, counted} = await audited(
      protocol,
      intended(async ({response}) => {
        response.end('must not be reached');
      }),
    );
    log.down = true;
    const {status, headers, body} = await ask().answer();
    expect({status, retry: headers['retry-after']}).toEqual({status: 503, retry: '5'});
    expect(JSON.parse(body)).toMatchObject({message: 'the call cannot be recorded, so it is not carried out'});
    await served;
    expect(log.events).toEqual([]);
    expect(await counted()).toMatchObject([{code: '503', outcome: 'AuditUnavailable'}]);
  });

  test('a refusal that cannot be recorded tells of nothing but that', async () => {
    const {ask, log} = await audited(protocol, async () => {
      throw new Refusal('PolicyDenied', 403, 'policy payments/agents denies this');
    });
    log.down = true;
    const {status, body} = await ask().answer();
    expect(status).toBe(503);
    expect(body).not.toContain('payments/agents');
  });
});

test('what was found on the way is part of the outcome', async () => {
  const next = intended(async (call) => {
    const fields = {PAN: new Map([['card', 1]])};
    call.masked = [{counts: {PAN: 2, Regex: 0, Field: 2, fields}}, {counts: {PAN: 1, fields}}];
    call.responseObject = '{"kind":"Pod"}';
    call.response.end('ok');
  });
  const {ask, served, log} = await audited('HTTP/1.1', next);
  await ask().answer();
  await served;
  expect(log.last.annotations).toMatchObject({
    'lockkeeper.dev/masked': '{"PAN":3,"Field":2}',
    'lockkeeper.dev/masked-fields': '{"PAN":{"card":2}}',
  });
});

test('card numbers where policy expects none are told of and on record, with their place and none of their digits', async () => {
  const next = intended(async (call) => {
    call.panUnexpectedIn = operation({name: 'web'});
    call.masked = [{counts: {PAN: 2, fields: {PAN: new Map([['card', 2]])}}}];
    call.response.end('ok');
  });
  const {ask, served, log, unexpected} = await audited('HTTP/1.1', next);
  await ask().answer();
  await served;
  const found = {resource: 'pods', namespace: 'payments', name: 'web', count: 2, fields: ['card']};
  expect(unexpected).toEqual([found]);
  expect(JSON.parse(log.last.annotations['lockkeeper.dev/pan-unexpected'] ?? '')).toEqual(found);
});

test('every call has an audit ID of its own', async () => {
  const {ask, log} = await audited(
    'HTTP/1.1',
    intended(async ({response}) => void response.end()),
  );
  await Promise.all([ask().answer(), ask({headers: {'audit-id': 'forged'}}).answer()]);
  const ids = new Set(log.events.map(({auditID}) => auditID));
  expect(ids.size).toBe(2);
  expect(ids).not.toContain('forged');
});
