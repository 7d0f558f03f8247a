/**
 * Carries answers from an upstream to a client, both over TLS, with the gateway's own relay and nothing else around it, as
 * a process of its own: node maskrelay.ts CERTIFICATE KEY AUTHORITY UPSTREAM. Prints its port. What is asked for below
 * /masked is masked on the way.
 */
import {readFileSync} from 'node:fs';
import {createServer} from 'node:https';
import type {AddressInfo} from 'node:net';
import {defaultPlan} from '../../cli/mask/plan.ts';
import {createMasker} from '../../core/mask/createmasker.ts';
import {OutboxBuffers} from '../../proxy/forward/outbox.ts';
import {pooledTransport} from '../../proxy/forward/pooled.ts';
import {type BodyReader, Relay} from '../../proxy/forward/relay.ts';

const [certificateFile = '', keyFile = '', authorityFile = '', origin = ''] = process.argv.slice(2);
const transport = pooledTransport({origin, tls: {ca: readFileSync(authorityFile)}});
const buffers = new OutboxBuffers();
const plan = defaultPlan();
const unmasked: BodyReader = {push: (chunk, emit) => emit(chunk), end: () => {}};

const server = createServer({cert: readFileSync(certificateFile), key: readFileSync(keyFile)}, (request, response) => {
  const url = request.url ?? '';
  const masked = url.startsWith('/masked');
  const open = () => (masked ? createMasker({mediaType: 'json', plan}) : unmasked);
  const relay = new Relay(response, open, buffers);
  const path = masked ? url.slice('/masked'.length) : url;
  transport.send({method: 'GET', path, headers: ['accept', 'application/json'], body: undefined}, relay);
  relay.done.catch((error: unknown) => response.destroy(error as Error));
});
server.listen(0, '127.0.0.1', () => process.stdout.write(`${(server.address() as AddressInfo).port}\n`));
process.on('disconnect', () => process.exit());
