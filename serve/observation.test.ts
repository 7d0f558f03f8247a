import {afterEach, describe, expect, test} from '@jest/globals';
import {Counter, Registry} from 'prom-client';
import {request} from 'undici';
import {type ObservationServer, serveObservation} from './observation.ts';

let server: ObservationServer | undefined;

async function serve(checks: Record<string, () => boolean>): Promise<Registry> {
  const registry = new Registry();
  server = await serveObservation({host: '127.0.0.1', port: 0, registry, checks});
  return registry;
}

async function call(target: string, method: 'GET' | 'POST' = 'GET') {
  const {statusCode, body} = await request(`http://127.0.0.1:${server?.address.port}${target}`, {method});
  return {code: statusCode, text: await body.text()};
}

afterEach(() => server?.close());

describe('observation server', () => {
  test('is ready when every check is, and says which is not', async () => {
    let synced = false;
    await serve({policies: () => synced, running: () => true});
    expect(await call('/readyz')).toEqual({code: 503, text: '[-]policies not ready\n[+]running ok\n'});
    expect(await call('/healthz')).toEqual({code: 200, text: 'ok\n'});
    synced = true;
    expect(await call('/readyz?verbose')).toEqual({code: 200, text: '[+]policies ok\n[+]running ok\n'});
  });

  test('serves the metrics of its registry alone', async () => {
    const registry = await serve({});
    new Counter({name: 'lockkeeper_test_total', help: 'test', registers: [registry]}).inc(3);
    const {code, text} = await call('/metrics');
    expect(code).toBe(200);
    expect(text).toContain('lockkeeper_test_total 3');
  });

  test.each([
    ['/', 'GET', 404],
    ['/metrics/', 'GET', 404],
    ['/healthz', 'POST', 405],
  ] as const)('answers %s by %s with %d', async (target, method, code) => {
    await serve({});
    expect(await call(target, method)).toMatchObject({code});
  });

  test('says so when its address is taken', async () => {
    await serve({});
    const again = serveObservation({
      host: '127.0.0.1',
      port: server?.address.port ?? 0,
      registry: new Registry(),
      checks: {},
    });
    await expect(again).rejects.toThrow('EADDRINUSE');
  });
});
