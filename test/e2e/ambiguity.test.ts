import {Readable} from 'node:stream';
import {afterAll, beforeAll, describe, expect, jest, test} from '@jest/globals';
import {allowEverything, namespace, Stack} from './stack.ts';

jest.setTimeout(60_000);

let stack: Stack;

const pod = `/api/v1/namespaces/${namespace}/pods/web`;
const configMaps = `/api/v1/namespaces/${namespace}/configmaps`;

beforeAll(async () => {
  stack = await Stack.start({audited: true, policies: {everything: allowEverything()}});
});

afterAll(() => stack?.stop());

describe('a request that could be read two ways is refused with a 400 Status', () => {
  const head = 'Host: gateway\nAuthorization: Bearer {token}\nConnection: close\n';
  test.each([
    ['pitfall 6: a doubled slash', `GET /api/v1/namespaces//secrets HTTP/1.1\n${head}\n`],
    ['pitfall 6: an encoded slash', `GET /api/v1/namespaces%2Fpayments/secrets HTTP/1.1\n${head}\n`],
    ['pitfall 6: a dot segment', `GET /api/v1/namespaces/payments/../default/secrets HTTP/1.1\n${head}\n`],
    ['pitfall 7: a semicolon in the query', `GET /api/v1/pods?limit=1;watch=1 HTTP/1.1\n${head}\n`],
    ['pitfall 7: watch twice', `GET /api/v1/pods?watch=0&watch=1 HTTP/1.1\n${head}\n`],
    ['an absolute target', `GET https://gateway/api/v1/pods HTTP/1.1\n${head}\n`],
    ['pitfall 36: CONNECT', `CONNECT kubernetes.default.svc:443 HTTP/1.1\n${head}\n`],
    ['HTTP/1.0', `GET /api/v1/pods HTTP/1.0\n${head}\n`],
    ['pitfall 35: HTTP/2.0 on the request line of HTTP/1', `GET /api/v1/pods HTTP/2.0\n${head}\n`],
    ['pitfall 35: another protocol on the request line', `GET /api/v1/pods RTSP/1.0\n${head}\n`],
    ['pitfall 35: no version on the request line', `GET /api/v1/pods\n${head}\n`],
    ['pitfall 35: two Host headers', `GET /api/v1/pods HTTP/1.1\nHost: other\n${head}\n`],
    ['no Host header', 'GET /api/v1/pods HTTP/1.1\nAuthorization: Bearer {token}\nConnection: close\n\n'],
    ['two User-Agent headers', `GET /api/v1/pods HTTP/1.1\n${head}User-Agent: a\nUser-Agent: b\n\n`],
    [
      'pitfall 36: Content-Length beside Transfer-Encoding',
      `POST ${configMaps} HTTP/1.1\n${head}Content-Length: 5\nTransfer-Encoding: chunked\n\n0\n\n`,
    ],
    ['two Content-Lengths', `POST ${configMaps} HTTP/1.1\n${head}Content-Length: 2\nContent-Length: 3\n\n{}`],
    [
      'a transfer coding other than chunked',
      `POST ${configMaps} HTTP/1.1\n${head}Transfer-Encoding: gzip, chunked\n\n0\n\n`,
    ],
    ['a GET with a body', `GET /api/v1/pods HTTP/1.1\n${head}Content-Length: 2\n\n{}`],
    ['a HEAD with a body', `HEAD /api/v1/pods HTTP/1.1\n${head}Content-Length: 2\n\n{}`],
    ['a GET with a chunked body', `GET /api/v1/pods HTTP/1.1\n${head}Transfer-Encoding: chunked\n\n2\n{}\n0\n\n`],
    ['an unknown upgrade', `GET ${pod}/exec?command=id HTTP/1.1\n${head.replace('close', 'Upgrade')}Upgrade: h2c\n\n`],
    ['an unknown method', `OPTIONS /api/v1/pods HTTP/1.1\n${head}\n`],
    ['a header without a name', `GET /api/v1/pods HTTP/1.1\n${head}: x\n\n`],
    ['a folded header', `GET /api/v1/pods HTTP/1.1\n${head}X-Folded: a\n b\n\n`],
  ])('%s', async (what, request) => {
    const answer = await stack.agent.raw(request);
    expect(answer.slice(0, 12)).toBe('HTTP/1.1 400');
    if (request.startsWith('HEAD')) return;
    expect(answer).toContain('"kind":"Status"');
    expect(answer).toContain('"reason":"BadRequest"');
    expect(what).not.toBe('');
  });

  test('a header section that is too large: 431', async () => {
    const answer = await stack.agent.raw(`GET /api/v1/pods HTTP/1.1\n${head}X-Large: ${'x'.repeat(100_000)}\n\n`);
    expect(answer.slice(0, 12)).toBe('HTTP/1.1 431');
    expect(answer).toContain('"kind":"Status"');
  });

  test.each(['GET', 'HEAD', 'DELETE', 'OPTIONS'])(
    'pitfall 34: %s with DATA and no content-length over HTTP/2',
    async (method) => {
      // Relayed unframed it would arrive as a second request.
      const smuggled = `POST ${configMaps} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n`;
      const path = `${configMaps}/smuggled`;
      const answer = await stack.agent.call2(path, {method, body: Readable.from([Buffer.from(smuggled)])});
      // A DELETE may have a body: this one is framed anew and is no DeleteOptions to the API server.
      expect(answer.status).toBe(400);
      expect((await stack.arrived()).filter(({verb}) => verb === 'create')).toEqual([]);
    },
  );

  test('CONNECT over HTTP/2', async () => {
    const session = stack.agent.session();
    try {
      const stream = session.request({
        ':method': 'CONNECT',
        ':authority': 'kubernetes.default.svc:443',
        authorization: `Bearer ${stack.token}`,
      });
      const status = await new Promise((resolve, reject) => {
        stream.once('response', (headers) => resolve(headers[':status']));
        stream.once('error', reject);
      });
      expect(status).toBe(400);
    } finally {
      session.destroy();
    }
  });

  test('none of them reached the API server', async () => {
    const refused = (await stack.records()).filter(
      ({annotations}) => annotations?.['lockkeeper.dev/refusal'] === 'Ambiguous',
    );
    expect(refused.length).toBeGreaterThan(10);
    const ids = new Set((await stack.arrived()).map(({auditID}) => auditID));
    expect(refused.filter(({auditID}) => ids.has(auditID))).toEqual([]);
  });
});
