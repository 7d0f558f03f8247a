/**
 * A TLS server that answers from memory, as a process of its own: node upstream.ts CERTIFICATE KEY. Prints its port.
 *
 * It is no API server and proves nothing about behaviour; it takes the API server's own time out of what is measured.
 */
import {readFileSync} from 'node:fs';
import * as http2 from 'node:http2';
import type {AddressInfo} from 'node:net';
import {podList} from './pods.ts';

const [certificateFile = '', keyFile = ''] = process.argv.slice(2);
const list = podList(5000);
const configMap = Buffer.from(
  JSON.stringify({
    kind: 'ConfigMap',
    apiVersion: 'v1',
    metadata: {name: 'small', namespace: 'bench', uid: '8a2e0c1f-6f0b-4a57-9b1a-0c4d0e1b7f6d', resourceVersion: '4711'},
    data: {greeting: 'hello'},
  }),
);
const event = Buffer.from(`{"type":"ADDED","object":${configMap}}\n`);

const server = http2.createSecureServer({
  allowHTTP1: true,
  cert: readFileSync(certificateFile),
  key: readFileSync(keyFile),
  settings: {maxConcurrentStreams: 250},
});
server.on('request', (request, response) => {
  const url = request.url;
  if (url.includes('watch=')) {
    response.writeHead(200, {'content-type': 'application/json'});
    response.write(event);
    return;
  }
  const body = url.includes('/pods') ? list : configMap;
  response.writeHead(200, {'content-type': 'application/json', 'content-length': body.length});
  response.end(body);
});
server.listen(0, '127.0.0.1', () => process.stdout.write(`${(server.address() as AddressInfo).port}\n`));
process.on('disconnect', () => process.exit());
