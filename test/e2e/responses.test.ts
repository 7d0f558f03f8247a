import {gunzipSync, gzipSync} from 'node:zlib';
import {afterAll, beforeAll, describe, expect, jest, test} from '@jest/globals';
import {type AgentClient, lines, type Protocol, protocols} from './client.ts';
import {allowEverything, configMap, type FurtherProxy, namespace, Stack} from './stack.ts';

jest.setTimeout(60_000);

interface WatchEvent {
  readonly type: string;
  readonly object: {
    readonly metadata: {readonly name?: string; readonly annotations?: Readonly<Record<string, string>>};
    readonly data?: Readonly<Record<string, string>>;
  };
}

const configMaps = `/api/v1/namespaces/${namespace}/configmaps`;
const secrets = `/api/v1/namespaces/${namespace}/secrets`;
const card = '4111111111111111';
const maskedCard = '************1111';
const tableAccept = 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json';
const initialEventsEnd = 'k8s.io/initial-events-end';
const watchList = 'watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true';

/** As Helm keeps it. Of a number with many equal digits, packed as well as zlib can, the last four would be hidden too. */
const release = (text: string): string => JSON.stringify({name: 'cards', config: {text: `paid with ${text}.`}});
const releasedCard = '4929123456789015';
const maskedReleasedCard = '************9015';

let stack: Stack;
let direct: AgentClient;

beforeAll(async () => {
  stack = await Stack.start({policies: {everything: allowEverything()}});
  direct = stack.direct();
  await stack.cluster.mustKubectl(['apply', '-f', '-'], {
    input: JSON.stringify({
      apiVersion: 'v1',
      kind: 'List',
      items: [
        {
          ...configMap('cards', {text: `paid with ${card}.`}),
          metadata: {name: 'cards', namespace, labels: {of: 'cards'}},
        },
        {
          apiVersion: 'v1',
          kind: 'Secret',
          metadata: {name: 'cards', namespace},
          stringData: {text: `paid with ${card}.`},
        },
        {
          apiVersion: 'v1',
          kind: 'Secret',
          metadata: {name: 'sh.helm.release.v1.cards.v1', namespace},
          type: 'helm.sh/release.v1',
          data: {release: Buffer.from(gzipSync(release(releasedCard)).toString('base64')).toString('base64')},
        },
        {
          apiVersion: 'v1',
          kind: 'ConfigMap',
          metadata: {name: 'files', namespace},
          binaryData: {
            'orders.txt': Buffer.from(`paid with ${card}.`).toString('base64'),
            'orders.json.gz': gzipSync(release(releasedCard)).toString('base64'),
          },
        },
      ],
    }),
  });
});

afterAll(() => stack?.stop());

describe('a list of thousands', () => {
  const count = 3000;
  let exact: string;

  beforeAll(async () => {
    await stack.cluster.mustKubectl(['create', 'namespace', 'large']);
    const session = direct.session();
    const names = Array.from({length: count}, (_, index) => `item-${index}`);
    const create = async () => {
      for (let name = names.pop(); name !== undefined; name = names.pop()) {
        const body = {...configMap(name, {text: 'x'.repeat(1000)}), metadata: {name}};
        const {status} = await direct.callOn(session, '/api/v1/namespaces/large/configmaps', {method: 'POST', body});
        expect(status).toBe(201);
      }
    };
    await Promise.all(Array.from({length: 32}, create));
    session.close();
    const list = await direct.call('/api/v1/namespaces/large/configmaps?limit=1');
    const {resourceVersion} = list.json<{metadata: {resourceVersion: string}}>().metadata;
    // Else the list would tell of the newest version of the whole cluster.
    exact = `/api/v1/namespaces/large/configmaps?resourceVersion=${resourceVersion}&resourceVersionMatch=Exact`;
  });

  test.each(['call', 'call2'] as const)('pitfall 15: comes byte for byte as from the API server (%s)', async (call) => {
    const wanted = await direct.call(exact);
    expect(wanted.json<{items: unknown[]}>().items).toHaveLength(count);
    const got = await stack.agent[call](exact);
    expect(got.status).toBe(200);
    expect(got.body.equals(wanted.body)).toBe(true);
  });

  test('pitfall 11: comes uncompressed to a client that asks for gzip', async () => {
    const headers = {'accept-encoding': 'gzip'};
    expect((await direct.call(exact, {headers})).headers['content-encoding']).toBe('gzip');
    const got = await stack.agent.call(exact, {headers});
    expect(got.headers['content-encoding']).toBeUndefined();
    expect(got.json<{items: unknown[]}>().items).toHaveLength(count);
  });

  describe('from a proxy that is to compress', () => {
    let compressing: FurtherProxy;
    let everywhere: string;

    beforeAll(async () => {
      compressing = await stack.startProxy('compressing', ['--compress-responses']);
      // With the cards that are written plainly.
      everywhere = `/api/v1/configmaps?${exact.split('?')[1]}&fieldSelector=metadata.name!%3Dfiles`;
    });

    test.each(['call', 'call2'] as const)('comes in gzip to a client that asks for it, masked (%s)', async (call) => {
      const headers = {'accept-encoding': 'gzip'};
      const wanted = await direct.call(everywhere);
      expect(wanted.text).toContain(card);
      const got = await stack.client(compressing)[call](everywhere, {headers});
      expect(got.status).toBe(200);
      expect(got.headers).toMatchObject({'content-encoding': 'gzip', vary: 'Accept-Encoding'});
      expect(got.headers['content-length']).toBeUndefined();
      expect(got.body.length).toBeLessThan(wanted.body.length / 10);
      const text = gunzipSync(got.body).toString();
      expect(text === wanted.text.replaceAll(card, maskedCard)).toBe(true);
    });

    test('comes as it is to a client that does not ask for gzip', async () => {
      const got = await stack.client(compressing).call(exact);
      expect(got.headers['content-encoding']).toBeUndefined();
      expect(got.json<{items: unknown[]}>().items).toHaveLength(count);
    });

    test('comes whole to kubectl, which asks for gzip', async () => {
      const get = ['get', 'configmaps', '--namespace=large', '--output=json'];
      const wanted = await stack.kubectl(get);
      const got = await stack.kubectl([`--server=${compressing.url}`, ...get]);
      expect(got.stderr).toBe('');
      expect(JSON.parse(got.stdout).items).toHaveLength(count);
      expect(got.stdout === wanted.stdout).toBe(true);
    });

    test('discovery is fetched once, and then only asked whether it has changed', async () => {
      const aggregated = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList';
      const headers = {accept: aggregated, 'accept-encoding': 'gzip'};
      const first = await stack.client(compressing).call('/apis', {headers});
      const {etag} = first.headers;
      const again = await stack.client(compressing).call('/apis', {headers: {...headers, 'if-none-match': etag}});
      expect([first.status, again.status]).toEqual([200, 304]);
    });

    test('a watch goes on without gzip, each event as it comes', async () => {
      const agent = stack.client(compressing);
      const headers = {'accept-encoding': 'gzip'};
      const watching = await agent.open(`${configMaps}?watch=1&fieldSelector=metadata.name=cards`, {headers});
      expect(watching.headers['content-encoding']).toBeUndefined();
      for await (const event of lines<WatchEvent>(watching)) {
        expect(event.object.data).toEqual({text: `paid with ${maskedCard}.`});
        break;
      }
      watching.destroy();
    });
  });

  test('comes in pages', async () => {
    const names = new Set<string>();
    let page = '';
    do {
      const answer = await stack.agent.call2(`${exact.split('?')[0]}?limit=700${page}`);
      const list = answer.json<{metadata: {continue?: string}; items: {metadata: {name: string}}[]}>();
      for (const {metadata} of list.items) names.add(metadata.name);
      page = list.metadata.continue ? `&continue=${encodeURIComponent(list.metadata.continue)}` : '';
    } while (page !== '');
    expect(names.size).toBe(count);
  });
});

describe('card numbers', () => {
  test.each([
    ['an object', `${configMaps}/cards`, undefined],
    ['a list', `${configMaps}?labelSelector=of=cards`, undefined],
    ['a Table with objects', `${configMaps}?labelSelector=of=cards&includeObject=Object`, tableAccept],
    ['an object as YAML', `${configMaps}/cards`, 'application/json'],
    ['a list over all namespaces', '/api/v1/configmaps?labelSelector=of=cards', undefined],
  ])('are masked in %s, no byte more or less', async (_what, path, accept) => {
    const headers = accept === undefined ? {} : {accept};
    const wanted = await direct.call(path, {headers});
    expect(wanted.text).toContain(card);
    for (const got of [await stack.agent.call(path, {headers}), await stack.agent.call2(path, {headers})]) {
      expect(got.text).not.toContain(card);
      expect(got.text).toContain(`paid with ${maskedCard}.`);
      expect(got.body).toHaveLength(wanted.body.length);
      expect(got.headers['content-length']).toBe(wanted.headers['content-length']);
    }
  });

  test('pitfall 23: are masked inside the base64 of a Secret, and in the copy that kubectl apply leaves', async () => {
    const read = async (client: AgentClient) => {
      const {data, metadata} = (await client.call(`${secrets}/cards`)).json<{
        data: {text: string};
        metadata: {annotations: Record<string, string>};
      }>();
      return {data: data.text, text: Buffer.from(data.text, 'base64').toString(), applied: JSON.stringify(metadata)};
    };
    const wanted = await read(direct);
    const got = await read(stack.agent);
    expect(wanted.text).toBe(`paid with ${card}.`);
    expect(got.text).toBe(`paid with ${maskedCard}.`);
    expect(got.data).toHaveLength(wanted.data.length);
    expect(wanted.applied).toContain(card);
    expect(got.applied).not.toContain(card);
  });

  test('are masked in the gzip of a Helm release, and in binaryData', async () => {
    const gunzip = (encoded: string): string => gunzipSync(Buffer.from(encoded, 'base64')).toString();
    const wanted = await direct.call(`${secrets}/sh.helm.release.v1.cards.v1`);
    const got = await stack.agent.call(`${secrets}/sh.helm.release.v1.cards.v1`);
    expect(got.body).toHaveLength(wanted.body.length);
    const {data} = got.json<{data: {release: string}}>();
    expect(gunzip(Buffer.from(data.release, 'base64').toString())).toBe(release(maskedReleasedCard));
    const {binaryData} = (await stack.agent.call(`${configMaps}/files`)).json<{binaryData: Record<string, string>}>();
    expect(Buffer.from(binaryData['orders.txt'] ?? '', 'base64').toString()).toBe(`paid with ${maskedCard}.`);
    expect(gunzip(binaryData['orders.json.gz'] ?? '')).toBe(release(maskedReleasedCard));
    const inList = Buffer.from(`paid with ${maskedCard}.`).toString('base64');
    for (const path of [configMaps, `${configMaps}?watch=1&resourceVersion=0&timeoutSeconds=1`]) {
      expect((await stack.agent.call(path)).text).toContain(inList);
    }
  });

  test.each([
    ['get', 'configmap', 'cards', '-o', 'yaml'],
    ['get', 'configmap', 'cards', '-o', 'jsonpath={.data.text}'],
    ['describe', 'configmap', 'cards'],
    ['get', 'configmap', 'cards', '-o', 'go-template={{.data.text}}'],
  ])('are masked in kubectl %s %s %s %s %s', async (...args) => {
    const {code, stdout} = await stack.kubectl(args.filter((arg) => arg !== undefined));
    expect(code).toBe(0);
    expect(stdout).toContain(maskedCard);
    expect(stdout).not.toContain(card);
  });

  test('are masked in what a create and a patch answer', async () => {
    const created = await stack.agent.call(`${configMaps}?dryRun=All`, {
      method: 'POST',
      body: configMap('new', {text: card}),
    });
    expect(created.json()).toMatchObject({data: {text: maskedCard}});
    const patched = await stack.agent.call(`${configMaps}/cards?dryRun=All`, {
      method: 'PATCH',
      headers: {'content-type': 'application/merge-patch+json'},
      body: '{"metadata":{"labels":{"a":"b"}}}',
    });
    expect(patched.json()).toMatchObject({data: {text: `paid with ${maskedCard}.`}});
  });

  test('are masked in the words of an error', async () => {
    const answer = await stack.agent.call(`${configMaps}/${card}`);
    expect(answer.status).toBe(404);
    expect(answer.text).not.toContain(card);
  });
});

describe('a watch', () => {
  const watch = (protocol: Protocol, query: string) => stack.agent.stream(protocol, `${configMaps}?${query}`);

  test.each(protocols)('over %s tells of every change, masked, and of every bookmark', async (protocol) => {
    const stream = await watch(protocol, watchList);
    const events = lines<WatchEvent>(stream);
    const seen: WatchEvent[] = [];
    const next = async () => {
      const {value} = await events.next();
      if (value === undefined) throw new Error('the watch ended');
      seen.push(value);
      return value;
    };
    while ((await next()).object.metadata.annotations?.[initialEventsEnd] !== 'true');
    expect(seen.slice(0, -1).map(({type, object}) => [type, object.metadata.name])).toContainEqual(['ADDED', 'cards']);
    expect(seen.at(-1)?.type).toBe('BOOKMARK');
    expect(JSON.stringify(seen)).not.toContain(card);

    // A bookmark may come at any time.
    const change = async () => {
      for (;;) {
        const event = await next();
        if (event.type !== 'BOOKMARK') return event;
      }
    };
    const name = protocol === 'HTTP/2' ? 'watched-2' : 'watched-1';
    const body = configMap(name, {text: card});
    expect((await direct.call(configMaps, {method: 'POST', body})).status).toBe(201);
    expect(await change()).toMatchObject({type: 'ADDED', object: {metadata: {name}, data: {text: maskedCard}}});
    const patch = {
      method: 'PATCH',
      headers: {'content-type': 'application/merge-patch+json'},
      body: '{"data":{"a":"b"}}',
    };
    await direct.call(`${configMaps}/${name}`, patch);
    expect(await change()).toMatchObject({type: 'MODIFIED', object: {metadata: {name}}});
    await direct.call(`${configMaps}/${name}`, {method: 'DELETE'});
    expect(await change()).toMatchObject({type: 'DELETED', object: {metadata: {name}}});
    stream.destroy();
  });

  test.each(protocols)('over %s that the API server ends, ends cleanly after its last bookmark', async (protocol) => {
    const types: string[] = [];
    for await (const {type} of lines<WatchEvent>(
      await watch(protocol, 'watch=1&allowWatchBookmarks=true&timeoutSeconds=4'),
    )) {
      types.push(type);
    }
    expect(types.at(-1)).toBe('BOOKMARK');
  });

  test('as kubectl has it shows what comes', async () => {
    const {stdout} = await stack.kubectl([
      ...['get', 'configmap', 'cards', '--watch', '-o', 'jsonpath={.data.text}', '--request-timeout=2s'],
    ]);
    expect(stdout).toContain(maskedCard);
  });

  test('pitfall 31: does not starve the others: 400 on two connections all get their event', async () => {
    // More than the API server takes on one connection. An agent's connection carries 250.
    const sessions = [stack.agent.session(), stack.agent.session()] as const;
    try {
      const open = async (index: number) => {
        const session = sessions[index % 2 === 0 ? 0 : 1];
        const {stream, headers} = await stack.agent.openOn(session, `${configMaps}?watch=1&labelSelector=of=many`);
        expect(headers[':status']).toBe(200);
        return lines<WatchEvent>(stream);
      };
      // The API server lets only so many watches begin at once.
      const watches: AsyncGenerator<WatchEvent, void>[] = [];
      while (watches.length < 400) {
        watches.push(...(await Promise.all(Array.from({length: 10}, (_, index) => open(index)))));
      }
      const first = watches.map((events) => events.next());
      const body = {...configMap('many'), metadata: {name: 'many', namespace, labels: {of: 'many'}}};
      expect((await stack.agent.call(configMaps, {method: 'POST', body})).status).toBe(201);
      const events = await Promise.all(first);
      expect(new Set(events.map(({value}) => value?.object.metadata.name))).toEqual(new Set(['many']));
    } finally {
      for (const session of sessions) session.destroy();
    }
  });
});
