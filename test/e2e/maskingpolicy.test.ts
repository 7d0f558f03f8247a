import {afterAll, beforeAll, describe, expect, jest, test} from '@jest/globals';
import {eventually} from '../eventually.ts';
import {Approvers, pendingOf} from './approvers.ts';
import {lines} from './client.ts';
import {allowEverything, configMap, namespace, Stack} from './stack.ts';

jest.setTimeout(120_000);

const card = '4111111111111111';
const masked = '************1111';
const base = `/api/v1/namespaces/${namespace}`;
const configMaps = `${base}/configmaps`;
const oncall = {user: 'alice@example.com', groups: ['oncall']};
const everybody = [{kind: 'User' as const, name: '*'}];
const named = [{kind: 'User' as const, name: 'agent:build-bot'}];
const core = (...resources: string[]) => ({apiGroups: [''], resources});
const reading = (resourceNames: string[], ...resources: string[]) => [
  {verbs: ['get' as const], ...core(...resources), resourceNames},
];

let stack: Stack;
let approvers: Approvers;

beforeAll(async () => {
  stack = await Stack.start({
    policies: {
      everything: {...allowEverything(), audit: {level: 'RequestResponse'}},
      cards: {
        subjects: everybody,
        masking: [{name: 'cards', detector: 'PAN'}],
      },
      values: {
        subjects: everybody,
        masking: [
          {
            name: 'passwords',
            detector: 'Field',
            field: {resources: [core('configmaps')], paths: ['data.password'], action: 'Remove'},
          },
          {
            name: 'owners',
            detector: 'Field',
            field: {resources: [core('configmaps')], paths: ['metadata.annotations["example.com/owner"]']},
          },
          {
            name: 'tokens',
            detector: 'Regex',
            regex: {pattern: 'tok_[a-z0-9]{8}'},
            exemptions: [{resources: [core('configmaps')], fields: ['data.example']}, {namespaces: ['build-*']}],
          },
        ],
      },
      // The baseline's, as who wants a member left alone has to change it.
      'mask-payment-cards': {
        subjects: everybody,
        masking: [
          {name: 'payment-cards', detector: 'PAN'},
          {name: 'magnetic-stripes', detector: 'TrackData'},
          {
            name: 'verification-codes',
            detector: 'CardVerificationCode',
            exemptions: [{resources: [core('configmaps')], fields: ['data.example']}],
          },
        ],
      },
      unexpected: {
        subjects: everybody,
        masking: [
          {
            name: 'nowhere',
            detector: 'PAN',
            unexpected: true,
            exemptions: [{resources: [core('secrets')]}],
          },
        ],
      },
      seen: {
        subjects: named,
        rules: [
          {name: 'see', effect: 'Allow', unmasked: true, operations: reading(['seen'], 'configmaps')},
          {
            name: 'ask-to-see',
            effect: 'RequireApproval',
            unmasked: true,
            approval: {approvers: {groups: ['oncall']}},
            operations: reading(['asked'], 'configmaps'),
          },
        ],
      },
    },
  });
  approvers = await Approvers.of(stack, ['oncall']);
  await stack.cluster.mustKubectl(['create', 'namespace', 'build-1']);
  const data = {
    text: `paid with ${card}.`,
    password: 'correct horse',
    token: 'with tok_abcd1234.',
    example: 'like tok_00000000.',
  };
  const annotations = {'example.com/owner': 'ann'};
  const items = ['app', 'seen', 'asked', 'team'].map((name) => ({
    ...configMap(name, data),
    metadata: {name, namespace, annotations},
  }));
  const elsewhere = {...configMap('app', data), metadata: {name: 'app', namespace: 'build-1'}};
  // As kubectl apply does, with a copy of the object in an annotation.
  await stack.cluster.mustKubectl(['apply', '-f', '-'], {
    input: JSON.stringify({apiVersion: 'v1', kind: 'List', items: [...items, elsewhere]}),
  });
});

afterAll(() => stack?.stop());

interface Read {
  readonly metadata: {readonly annotations: Readonly<Record<string, string>>};
  readonly data: Readonly<Record<string, string>>;
}

const shown = {text: `paid with ${masked}.`, token: 'with ************.', example: 'like tok_00000000.'};

describe('what policy hides of an object', () => {
  test.each(['call', 'call2'] as const)(
    'is hidden in it, and in the copy that kubectl apply keeps (%s)',
    async (call) => {
      const answer = await stack.agent[call](`${configMaps}/app`);
      expect(answer.status).toBe(200);
      expect(answer.headers['content-length']).toBeUndefined();
      const {metadata, data} = answer.json<Read>();
      expect(data).toEqual(shown);
      expect(metadata.annotations['example.com/owner']).toBe('***');
      const copy = JSON.parse(metadata.annotations['kubectl.kubernetes.io/last-applied-configuration'] ?? '') as Read;
      expect(copy.metadata.annotations['example.com/owner']).toBe('***');
      expect(copy.data).not.toHaveProperty('password');
      expect(copy.data.text).toBe(shown.text);
    },
  );

  test('is hidden in a list, and in each event of a watch', async () => {
    const list = (await stack.agent.call(configMaps)).json<{items: Read[]}>();
    expect(list.items.filter(({data}) => 'text' in data).map(({data}) => data)).toEqual(Array(4).fill(shown));
    const watch = await stack.agent.open(`${configMaps}?watch=1&fieldSelector=metadata.name=app`);
    for await (const {object} of lines<{object: Read}>(watch)) {
      expect(object.data).toEqual(shown);
      break;
    }
    watch.destroy();
  });

  test('is in no table, whose cells nobody can tell apart', async () => {
    const {code, stdout} = await stack.kubectl(['get', 'configmap', 'app']);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^NAME +AGE\n/);
  });
});

test('a namespace that is exempt is left alone, but not in a list over all namespaces', async () => {
  const {data} = (await stack.agent.call('/api/v1/namespaces/build-1/configmaps/app')).json<Read>();
  expect(data).toEqual({...shown, token: 'with tok_abcd1234.'});
  const all = await stack.agent.call('/api/v1/configmaps');
  expect(all.text).toContain('tok_00000000');
  expect(all.text).not.toContain('tok_abcd1234');
});

test('a member that is exempt is left alone, and what is masked in others is on record by their names', async () => {
  const codes = configMap('codes', {example: `cvv=123 ${card}`, code: 'cvv=123', [card]: `with ${card}`});
  await stack.cluster.mustKubectl(['create', '-f', '-'], {input: JSON.stringify(codes)});
  const {headers, text} = await stack.agent.call(`${configMaps}/codes`);
  expect(JSON.parse(text).data).toEqual({example: `cvv=123 ${masked}`, code: 'cvv=***', [masked]: `with ${masked}`});
  const annotations = await recordOf(headers['audit-id'] as string);
  expect(JSON.parse(annotations['lockkeeper.dev/masked'] ?? '')).toEqual({PAN: 4, CardVerificationCode: 1});
  expect(JSON.parse(annotations['lockkeeper.dev/masked-fields'] ?? '')).toEqual({
    // The names that are data are in managedFields too.
    PAN: {data: 1, 'f:data': 1, example: 1, [masked]: 1},
    CardVerificationCode: {code: 1},
  });
});

describe('a card number where policy expects none', () => {
  test('is told of in the record, by a metric and in the log of the proxy', async () => {
    const {headers} = await stack.agent.call(`${configMaps}/app`);
    const found = await recordOf(headers['audit-id'] as string);
    expect(JSON.parse(found['lockkeeper.dev/pan-unexpected'] ?? '')).toMatchObject({
      resource: 'configmaps',
      namespace,
      name: 'app',
      count: 2,
      fields: ['text'],
    });
    expect(JSON.parse(found['lockkeeper.dev/masked'] ?? '')).toEqual({PAN: 2, Regex: 3, Field: 4});
    const metrics = await (await fetch(`http://127.0.0.1:${stack.environment.gatewayMetricsPort}/metrics`)).text();
    expect(metrics).toMatch(/^lockkeeper_proxy_pan_unexpected_total\{resource="configmaps"\} [1-9]/m);
    expect(metrics).toMatch(/^lockkeeper_proxy_masked_total\{detector="Field"\} [1-9]/m);
  });
});

describe('an answer that a rule shows unmasked', () => {
  test('is shown as it is, is on record as that, and the record hides it', async () => {
    const answer = await stack.agent.call(`${configMaps}/seen`);
    expect(answer.json<Read>().data).toMatchObject({text: `paid with ${card}.`, password: 'correct horse'});
    const annotations = await recordOf(answer.headers['audit-id'] as string);
    expect(annotations).toMatchObject({
      'lockkeeper.dev/rule': 'see',
      'lockkeeper.dev/unmasked': 'true',
    });
    const records = (await stack.records()).filter(({auditID}) => auditID === answer.headers['audit-id']);
    expect(records.at(-1)).toMatchObject({responseObject: {kind: 'ConfigMap', data: shown}});
    for (const hidden of [card, 'correct horse', 'tok_abcd1234']) expect(JSON.stringify(records)).not.toContain(hidden);
  });

  test('with approval waits for people who are told what would be seen', async () => {
    const name = pendingOf(await stack.agent.call(`${configMaps}/asked`));
    const [request] = await approvers.requestsFor('asked');
    expect(request?.spec.operation).toMatchObject({verb: 'get', name: 'asked', unmasked: true});
    await approvers.approve(oncall, name);
    const answer = await eventually(async () => {
      const again = await stack.agent.call(`${configMaps}/asked`);
      expect(again.status).toBe(200);
      return again;
    });
    expect(answer.text).toContain(card);
  });

  test("is not, where another namespace's policy hides it", async () => {
    const rules = [
      {name: 'see', effect: 'Allow' as const, unmasked: true, operations: reading(['team'], 'configmaps')},
    ];
    await stack.applyPolicies({team: {subjects: named, rules}}, namespace);
    const {data} = (await stack.agent.call(`${configMaps}/team`)).json<Read>();
    expect(data).toEqual(shown);
  });
});

describe('what the API server says outside of objects is masked', () => {
  test('in an error', async () => {
    const {status, text} = await stack.agent.call(`${configMaps}/${card}`);
    expect(status).toBe(404);
    expect(text).not.toContain(card);
    expect(text).toContain(masked);
  });

  test('in a Location', async () => {
    const name = `web-${card}`;
    const containers = [{name: 'web', image: 'example.com/web'}];
    const pod = {metadata: {name}, spec: {containers, automountServiceAccountToken: false}};
    const direct = stack.direct();
    const account = {apiVersion: 'v1', kind: 'ServiceAccount', metadata: {name: 'default'}};
    await direct.call(`${base}/serviceaccounts`, {method: 'POST', body: account});
    await direct.call(`${base}/pods`, {method: 'POST', body: {apiVersion: 'v1', kind: 'Pod', ...pod}});
    const status = {podIP: '192.0.2.1', podIPs: [{ip: '192.0.2.1'}]};
    const patch = {
      method: 'PATCH',
      body: JSON.stringify({status}),
      headers: {'content-type': 'application/merge-patch+json'},
    };
    expect((await direct.call(`${base}/pods/${name}/status`, patch)).status).toBe(200);
    // To where the path ends in a slash. What the baseline denies is let through.
    await stack.cluster.mustKubectl(['delete', 'aap', 'no-side-doors', '--namespace=lockkeeper-system']);
    const {headers} = await eventually(async () => {
      const answer = await stack.agent.call(`${base}/pods/${name}/proxy`);
      expect(answer.status).toBe(301);
      return answer;
    });
    expect(headers.location).toContain(`web-${masked}`);
    expect(JSON.stringify(headers)).not.toContain(card);
  });
});

test('of a card number no digit is shown where one policy says so, nor of one inside of a long digit run', async () => {
  const masking = [{name: 'whole', detector: 'PAN' as const, show: 'None' as const, longDigitRuns: true}];
  await stack.cluster.mustKubectl(['create', 'namespace', 'strict']);
  await stack.applyPolicies({strict: {subjects: everybody, masking}}, 'strict');
  const data = {text: `paid with ${card}.`, run: `8888888${card}8888888`, digits: '8'.repeat(30)};
  const object = {...configMap('cards', data), metadata: {name: 'cards', namespace: 'strict'}};
  await stack.cluster.mustKubectl(['create', '-f', '-'], {input: JSON.stringify(object)});
  const found = (await stack.agent.call('/api/v1/namespaces/strict/configmaps/cards')).json<Read>().data;
  expect(found).toEqual({...data, text: `paid with ${'*'.repeat(16)}.`, run: expect.stringMatching(/^8*\*{16,}8*$/)});
  expect(found.run).toHaveLength(data.run.length);
});

test('an entry that is invalid is told of in the status, and refuses what it covers', async () => {
  const masking = [{name: 'names', detector: 'Regex' as const, regex: {pattern: '(?=a)b'}}];
  await stack.applyPolicies({invalid: {subjects: everybody, masking}}, 'build-1');
  const accepted = await stack.cluster.mustKubectl([
    ...['get', 'aap', 'invalid', '--namespace=build-1'],
    ...['-o', 'jsonpath={.status.conditions[?(@.type=="Accepted")].message}'],
  ]);
  expect(accepted).toContain('spec.masking[0].regex.pattern: ');
  const refused = await stack.agent.call('/api/v1/namespaces/build-1/configmaps/app');
  expect(refused.status).toBe(403);
  expect(refused.failure.message).toContain('policy build-1/invalid, masking names');
  expect((await stack.agent.call(`${configMaps}/app`)).status).toBe(200);
});

/** The annotations of the outcome of a call. */
function recordOf(auditID: string): Promise<Readonly<Record<string, string>>> {
  return eventually(async () => {
    const events = await stack.records();
    const outcome = events.find((event) => event.auditID === auditID && event.stage === 'ResponseComplete');
    expect(outcome).toBeDefined();
    return outcome?.annotations ?? {};
  });
}
