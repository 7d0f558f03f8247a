import {afterAll, beforeAll, describe, expect, jest, test} from '@jest/globals';
import {type AgentClient, lines, protocols} from './client.ts';
import {allowEverything, configMap, namespace, Stack} from './stack.ts';

jest.setTimeout(60_000);

const configMaps = `/api/v1/namespaces/${namespace}/configmaps`;
const selected = `${configMaps}?labelSelector=of=cards`;
const card = '4111111111111111';
const maskedCard = '************1111';
const as = (kind: string) => `application/json;as=${kind};v=v1;g=meta.k8s.io`;
const initialEventsEnd = 'k8s.io/initial-events-end';
const watchList = 'watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true';

let stack: Stack;
let direct: AgentClient;

beforeAll(async () => {
  stack = await Stack.start({policies: {everything: allowEverything()}});
  direct = stack.direct();
  const object = configMap('cards', {text: `paid with ${card}.`});
  // What kubectl apply leaves behind, so that metadata alone holds one too.
  const metadata = {...object.metadata, labels: {of: 'cards'}, annotations: {'example.com/applied': `card ${card}`}};
  expect((await direct.call(configMaps, {method: 'POST', body: {...object, metadata}})).status).toBe(201);
});

afterAll(() => stack?.stop());

describe('an answer in every form that the API server knows is masked, no byte more or less', () => {
  test.each([
    ['an object', `${configMaps}/cards`, 'application/json', 'ConfigMap'],
    ['an object, pretty', `${configMaps}/cards?pretty=true`, '*/*', 'ConfigMap'],
    ['a list', selected, '*/*', 'ConfigMapList'],
    ['metadata of an object', `${configMaps}/cards`, as('PartialObjectMetadata'), 'PartialObjectMetadata'],
    ['metadata of a list', selected, as('PartialObjectMetadataList'), 'PartialObjectMetadataList'],
    ['a Table of an object', `${configMaps}/cards`, as('Table'), 'Table'],
    ['a Table with metadata', `${selected}&includeObject=Metadata`, as('Table'), 'Table'],
    ['pitfall 12: a Table with whole objects', `${selected}&includeObject=Object`, as('Table'), 'Table'],
    ['what is acceptable in the third place', selected, `text/csv,image/png;q=0.9,${as('Table')}`, 'Table'],
  ])('%s', async (_what, path, accept, kind) => {
    const headers = {accept};
    const wanted = await direct.call(path, {headers});
    expect(wanted.json()).toMatchObject({kind});
    expect(wanted.text).toContain(card);
    for (const got of [await stack.agent.call(path, {headers}), await stack.agent.call2(path, {headers})]) {
      expect(got.status).toBe(200);
      expect(timeless(got.text)).toBe(timeless(wanted.text.replaceAll(card, maskedCard)));
      expect(got.headers['content-type']).toBe(wanted.headers['content-type']);
    }
  });
});

/** Without the version of the newest object of the whole cluster, and the ages in a Table. */
function timeless(text: string): string {
  return text.replaceAll(/"resourceVersion":"\d+"|"\d+s"/g, '');
}

describe('pitfall 11: what cannot be masked is not asked for', () => {
  const protobuf = 'application/vnd.kubernetes.protobuf';
  const cbor = 'application/cbor';
  test.each([
    ['an object', `${configMaps}/cards`, protobuf, 406],
    ['an object', `${configMaps}/cards`, cbor, 406],
    ['an object', `${configMaps}/cards`, 'application/yaml', 406],
    ['an object', `${configMaps}/cards`, `${protobuf};q=0.9,${cbor}`, 406],
    ['an object', `${configMaps}/cards`, `${protobuf},application/json`, 200],
    ['an object', `${configMaps}/cards`, `${cbor},${protobuf},application/json;q=0.1`, 200],
    ['an object', `${configMaps}/cards`, `${protobuf},*/*;q=0.8`, 200],
    ['a Table', selected, `${protobuf};as=Table;v=v1;g=meta.k8s.io`, 406],
    ['a Table', selected, `${protobuf};as=Table;v=v1;g=meta.k8s.io,${as('Table')},application/json`, 200],
    ['a list', selected, `${protobuf};as=PartialObjectMetadataList;v=v1;g=meta.k8s.io,application/json`, 200],
    ['what there is', '/apis', protobuf, 406],
    ['what there is', '/apis', `${protobuf},application/json`, 200],
    ['a watch', `${selected}&watch=1&timeoutSeconds=1`, `${protobuf};stream=watch`, 406],
    ['a watch', `${selected}&watch=1&timeoutSeconds=1`, 'application/cbor-seq', 406],
    ['a watch', `${selected}&watch=1&timeoutSeconds=1`, `application/cbor-seq,application/json;stream=watch`, 200],
    ['a watch', `${selected}&watch=1&timeoutSeconds=1`, `${protobuf};stream=watch,application/json;stream=watch`, 200],
  ])('of %s (%s) with Accept: %s: %i', async (_what, path, accept, code) => {
    const answer = await stack.agent.call(path, {headers: {accept}});
    expect([answer.status, answer.headers['content-type']]).toEqual([code, 'application/json']);
    expect(answer.text).not.toContain(card);
    if (code === 406) {
      expect(answer.failure).toMatchObject({reason: 'NotAcceptable', message: expect.stringContaining(accept)});
    } else if (path.startsWith(configMaps)) {
      expect(answer.text).toContain(maskedCard);
    }
  });

  test('JSON that the client refuses by q=0 is for the API server to judge', async () => {
    const headers = {accept: 'application/json;q=0'};
    const wanted = await direct.call(`${configMaps}/cards`, {headers});
    const got = await stack.agent.call(`${configMaps}/cards`, {headers});
    expect(got.status).toBe(wanted.status);
    expect(got.text).not.toContain(card);
  });
});

describe('a watch', () => {
  interface WatchEvent {
    readonly type: string;
    readonly object: {readonly kind: string; readonly metadata?: {readonly annotations?: Record<string, string>}};
  }

  const cases = protocols.flatMap((protocol) =>
    [
      ['application/json;stream=watch', 'ConfigMap'],
      [`${as('PartialObjectMetadata')};stream=watch,application/json`, 'PartialObjectMetadata'],
      [`${as('Table')};stream=watch`, 'Table'],
    ].map(([accept = '', kind = '']) => [protocol, accept, kind] as const),
  );
  test.each(cases)(
    'pitfall 13: over %s as %s comes with its initial events and the bookmark behind them',
    async (protocol, ...of) => {
      const [accept, kind] = of;
      const path = `${selected}&${watchList}&includeObject=Object`;
      const session = stack.agent.session();
      try {
        const stream =
          protocol === 'HTTP/2'
            ? (await stack.agent.openOn(session, path, {headers: {accept}})).stream
            : await stack.agent.open(path, {headers: {accept}});
        const seen: WatchEvent[] = [];
        for await (const event of lines<WatchEvent>(stream)) {
          seen.push(event);
          if (event.type === 'BOOKMARK') break;
        }
        expect(seen.map(({type, object}) => [type, object.kind])).toEqual([
          ['ADDED', kind],
          ['BOOKMARK', kind],
        ]);
        expect(JSON.stringify(seen[1])).toContain(`"${initialEventsEnd}":"true"`);
        expect(JSON.stringify(seen)).toContain(maskedCard);
        expect(JSON.stringify(seen)).not.toContain(card);
      } finally {
        session.destroy();
      }
    },
  );
});

describe('what is no resource comes as from the API server', () => {
  const discovery = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json';
  const openAPI2 = 'application/com.github.proto-openapi.spec.v2@v1.0+protobuf';
  const openAPI3 = 'application/com.github.proto-openapi.spec.v3@v1.0+protobuf';
  test.each([
    ['/version', '*/*'],
    ['/healthz', '*/*'],
    ['/livez/ping', 'text/plain'],
    ['/readyz?exclude=etcd', '*/*'],
    ['/api', 'application/json'],
    ['/api', discovery],
    ['/apis', 'application/json'],
    ['/apis', discovery],
    ['/apis/lockkeeper.dev/v1alpha1', 'application/json'],
    ['/openapi/v2', 'application/json'],
    // kubectl validates what it does not know against the whole schema, which it takes in no other form.
    ['/openapi/v2', openAPI2],
    ['/openapi/v3', '*/*'],
    ['/openapi/v3/api/v1', 'application/json'],
    ['/openapi/v3/api/v1', openAPI3],
    ['/openapi/v3/apis/lockkeeper.dev/v1alpha1', openAPI3],
    ['/.well-known/openid-configuration', '*/*'],
    ['/openid/v1/jwks', 'application/jwk-set+json'],
    ['/nothing/here', '*/*'],
  ])('%s as %s', async (path, accept) => {
    const headers = {accept};
    const wanted = await direct.call(path, {headers});
    for (const got of [await stack.agent.call(path, {headers}), await stack.agent.call2(path, {headers})]) {
      expect([got.status, got.headers['content-type']]).toEqual([wanted.status, wanted.headers['content-type']]);
      expect(got.body.equals(wanted.body)).toBe(true);
      for (const name of ['etag', 'vary', 'cache-control', 'last-modified', 'x-varied-accept']) {
        expect([name, got.headers[name]]).toEqual([name, wanted.headers[name]]);
      }
    }
  });

  test('metrics as text', async () => {
    for (const accept of ['text/plain;version=0.0.4', 'application/openmetrics-text;version=1.0.0,*/*;q=0.1']) {
      const answer = await stack.agent.call('/metrics', {headers: {accept}});
      expect(answer.status).toBe(200);
      expect(answer.text).toContain('apiserver_request_total');
    }
  });

  test.each([
    ['/apis', discovery],
    ['/openapi/v2', openAPI2],
    ['/openapi/v3/apis/apps/v1', 'application/json'],
  ])('%s was not modified: 304', async (path, accept) => {
    const {etag} = (await stack.agent.call(path, {headers: {accept}})).headers;
    expect(etag).toMatch(/^"/);
    for (const call of ['call', 'call2'] as const) {
      const again = await stack.agent[call](path, {headers: {accept, 'if-none-match': etag}});
      expect([again.status, again.text]).toEqual([304, '']);
    }
  });

  test('the schema of a group by its hash, and by one that is over', async () => {
    const {paths} = (await stack.agent.call('/openapi/v3')).json<{
      paths: Record<string, {serverRelativeURL: string}>;
    }>();
    const path = paths['apis/apps/v1']?.serverRelativeURL ?? '';
    expect(path).toContain('?hash=');
    expect((await stack.agent.call(path)).headers['cache-control']).toContain('immutable');
    const over = path.replace(/hash=.*/, 'hash=0');
    const wanted = await direct.call(over);
    const got = await stack.agent.call2(over);
    expect([got.status, got.headers.location]).toEqual([301, wanted.headers.location]);
    expect(got.headers.location).toBe(path);
  });
});

describe('HEAD', () => {
  test.each(['/version', '/healthz', '/metrics', '/api', configMaps, `${configMaps}/cards`, `${configMaps}/absent`])(
    '%s answers as the API server does, without a body',
    async (path) => {
      const wanted = await direct.call(path, {method: 'HEAD'});
      const socket = await stack.agent.socket();
      socket.write(
        stack.agent.bytes(
          `HEAD ${path} HTTP/1.1\nHost: gateway\nAuthorization: Bearer {token}\n\n` +
            'GET /healthz HTTP/1.1\nHost: gateway\nAuthorization: Bearer {token}\nConnection: close\n\n',
        ),
      );
      let text = '';
      for await (const chunk of socket) text += chunk;
      // The next answer follows the head at once.
      expect(text.match(/HTTP\/1\.1 \d+/g)).toEqual([`HTTP/1.1 ${wanted.status}`, 'HTTP/1.1 200']);
      expect(text.split('\r\n\r\n')[1]).toMatch(/^HTTP\/1\.1 200/);
      const over2 = await stack.agent.call2(path, {method: 'HEAD'});
      expect([over2.status, over2.text]).toEqual([wanted.status, '']);
      expect(over2.headers['content-type']).toBe(wanted.headers['content-type']);
    },
  );
});
