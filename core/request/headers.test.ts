import {describe, expect, test} from '@jest/globals';
import fc from 'fast-check';
import {headersRefusal} from './headers.ts';

const http2 = [':method', 'GET', ':path', '/', ':scheme', 'https'];

describe('passes what Kubernetes clients send', () => {
  test.each([
    ['a GET', 'GET', ['Host', 'a', 'Authorization', 'Bearer x', 'User-Agent', 'kubectl'], '1.1'],
    ['an empty POST', 'POST', ['Host', 'a', 'Content-Length', '0'], '1.1'],
    ['a chunked PATCH', 'PATCH', ['Host', 'a', 'Transfer-Encoding', 'Chunked'], '1.1'],
    ['a DELETE with a body', 'DELETE', ['Host', 'a', 'Content-Length', '12'], '1.1'],
    ['a WebSocket exec', 'GET', ['Host', 'a', 'Connection', 'Upgrade', 'Upgrade', 'WebSocket'], '1.1'],
    [
      'a SPDY exec',
      'POST',
      ['Host', 'a', 'Connection', 'Upgrade', 'Upgrade', 'SPDY/3.1', 'Content-Length', '0'],
      '1.1',
    ],
    ['a POST that asks first', 'POST', ['Host', 'a', 'Content-Length', '2', 'Expect', '100-Continue'], '1.1'],
    ['several Accept', 'GET', ['Host', 'a', 'Accept', 'x', 'Accept', 'y'], '1.1'],
    ['HTTP/2', 'GET', [...http2, ':authority', 'a', 'host', 'a'], '2.0'],
  ] as const)('%s', (_, method, rawHeaders, version) => {
    expect(headersRefusal(method, rawHeaders, version)).toBeUndefined();
  });
});

describe('refuses', () => {
  test.each([
    ['Impersonate-User', 'GET', ['Host', 'a', 'Impersonate-User', 'admin'], '1.1', 403, 'Impersonation'],
    ['impersonate-group', 'GET', [...http2, 'impersonate-group', 'system:masters'], '2.0', 403, 'Impersonation'],
    ['IMPERSONATE-EXTRA-X', 'GET', ['IMPERSONATE-EXTRA-X', 'y'], '1.1', 403, 'Impersonation'],
    ['Impersonate-Uid', 'GET', ['Impersonate-Uid', 'y'], '1.1', 403, 'Impersonation'],
    ['two Host', 'GET', ['Host', 'a', 'host', 'b'], '1.1', 400, 'DuplicateHeader'],
    ['two equal Host', 'GET', ['Host', 'a', 'Host', 'a'], '1.1', 400, 'DuplicateHeader'],
    [':authority and another host', 'GET', [...http2, ':authority', 'a', 'host', 'b'], '2.0', 400, 'DuplicateHeader'],
    [
      'two Authorization',
      'GET',
      ['Authorization', 'Bearer a', 'authorization', 'Bearer b'],
      '1.1',
      400,
      'DuplicateHeader',
    ],
    [
      'two Content-Type',
      'POST',
      ['Content-Type', 'application/json', 'Content-Type', 'x'],
      '1.1',
      400,
      'DuplicateHeader',
    ],
    ['two Content-Length', 'POST', ['Content-Length', '1', 'Content-Length', '2'], '1.1', 400, 'DuplicateHeader'],
    ['two User-Agent', 'GET', ['User-Agent', 'a', 'User-Agent', 'b'], '1.1', 400, 'DuplicateHeader'],
    [
      'length beside coding',
      'POST',
      ['Content-Length', '1', 'Transfer-Encoding', 'chunked'],
      '1.1',
      400,
      'FramingNotClear',
    ],
    ['a coding before chunked', 'POST', ['Transfer-Encoding', 'gzip, chunked'], '1.1', 400, 'FramingNotClear'],
    ['an unknown coding', 'POST', ['Transfer-Encoding', 'identity'], '1.1', 400, 'FramingNotClear'],
    ['a coding in HTTP/2', 'POST', [...http2, 'transfer-encoding', 'chunked'], '2.0', 400, 'FramingNotClear'],
    ['a signed length', 'POST', ['Content-Length', '+1'], '1.1', 400, 'FramingNotClear'],
    ['a list of lengths', 'POST', ['Content-Length', '1, 1'], '1.1', 400, 'FramingNotClear'],
    ['an empty length', 'POST', ['Content-Length', ''], '1.1', 400, 'FramingNotClear'],
    ['a GET with a body', 'GET', ['Content-Length', '1'], '1.1', 400, 'FramingNotClear'],
    ['a HEAD with a body', 'HEAD', ['Transfer-Encoding', 'chunked'], '1.1', 400, 'FramingNotClear'],
    ['an unknown expectation', 'POST', ['Expect', '200-ok'], '1.1', 400, 'ExpectationNotKnown'],
    ['an upgrade to h2c', 'GET', ['Upgrade', 'h2c'], '1.1', 400, 'UpgradeNotKnown'],
    ['a list of upgrades', 'GET', ['Upgrade', 'websocket, SPDY/3.1'], '1.1', 400, 'UpgradeNotKnown'],
    ['two upgrades', 'GET', ['Upgrade', 'websocket', 'Upgrade', 'SPDY/3.1'], '1.1', 400, 'DuplicateHeader'],
    ['HTTP/1.0 and RTSP/1.0', 'GET', ['Host', 'a'], '1.0', 400, 'ProtocolNotKnown'],
    ['a request line without a version', 'GET', [], '0.9', 400, 'ProtocolNotKnown'],
    ['HTTP/2.0 on an HTTP/1 connection', 'GET', ['Host', 'a'], '2.0', 400, 'ProtocolNotKnown'],
  ] as const)('%s', (_, method, rawHeaders, version, status, code) => {
    const refusal = headersRefusal(method, rawHeaders, version);
    expect(refusal).toMatchObject({status, code});
    expect(refusal?.reason).toMatch(/\S/);
  });
});

test('no header in front or behind hides an impersonation', () => {
  const header = fc.tuple(fc.constantFrom('Connection', 'Accept', 'X-A', 'impersonate', 'Host'), fc.string());
  fc.assert(
    fc.property(fc.array(header), fc.array(header), fc.string(), (before, after, suffix) => {
      const rawHeaders = [...before, [`Impersonate-${suffix}`, 'x'], ...after].flat();
      // Two Host headers in front are refused first, and refused they are.
      expect(headersRefusal('GET', rawHeaders, '1.1')).toBeDefined();
    }),
  );
});
