import type {IncomingMessage, ServerResponse} from 'node:http';
import {createServer} from 'node:https';
import type {AddressInfo} from 'node:net';
import {Counter, Gauge, type Registry} from 'prom-client';
import type {Logger} from 'winston';
import {type CertificateFiles, changedCertificate, readCertificate} from '../../serve/certificate.ts';
import type {ProxyRegistry} from '../policy/proxies.ts';
import {createAcknowledgements} from './acknowledgements.ts';
import {answerJSON, answerNothing, answerRefusal} from './answer.ts';
import {type AuthenticateOptions, bearerToken, createAuthenticate} from './authenticate.ts';
import {readJSON} from './body.ts';
import {createBundleStreams} from './bundles.ts';
import {type CheckpointRecorderOptions, createCheckpointRecorder} from './checkpoints.ts';
import {readAcknowledgement, readCheckpoint, readConsumeRequest, readOpenRequest} from './parse.ts';
import {refusalOf} from './refusal.ts';
import {type AccessRequestServiceOptions, createAccessRequestService} from './requests.ts';
import {type Route, routeOf} from './route.ts';

export interface ControlServerOptions extends AccessRequestServiceOptions, CheckpointRecorderOptions {
  readonly client: AccessRequestServiceOptions['client'] & CheckpointRecorderOptions['client'];
  readonly proxies: ProxyRegistry;
  readonly gatewayServiceAccounts: AuthenticateOptions['gatewayServiceAccounts'];
  readonly certificate: CertificateFiles;
  readonly registry: Registry;
  readonly log: Logger;
}

export interface ControlServer {
  /** Begins to serve; port 0 takes any that is free. Rejects where the address cannot be had. */
  listen(port: number, host?: string): Promise<AddressInfo>;
  /** Serves what the certificate files hold now. Called by itself every ten seconds. */
  reloadCertificate(): Promise<void>;
  /**
   * Takes no more connections, ends the bundle streams, tells followers the state as it is, and lets other calls finish
   * for at most five seconds.
   */
  close(): Promise<void>;
}

const certificateCheckMilliseconds = 10_000;
const drainMilliseconds = 5_000;

/** The HTTPS server of the control API (core/control/messages.ts). Serves on every replica, leader or not. */
export async function createControlServer(options: ControlServerOptions): Promise<ControlServer> {
  const {client, clock, log, registry, publisher, proxies, gatewayServiceAccounts} = options;
  const registers = [registry];
  const answered = new Counter({
    name: 'lockkeeper_control_requests_total',
    help: 'Requests to the control API',
    labelNames: ['route', 'code'],
    registers,
  });
  const connected = new Gauge({
    name: 'lockkeeper_control_bundle_streams',
    help: 'Bundle streams that proxies hold',
    registers,
  });
  const authenticate = createAuthenticate({client, gatewayServiceAccounts, now: () => clock.now()});
  const streams = createBundleStreams({publisher, proxies, clock, connected});
  const acknowledgements = createAcknowledgements(publisher, proxies);
  const accessRequests = createAccessRequestService(options);
  const checkpoints = createCheckpointRecorder(options);
  const closing = new AbortController();

  async function serve(request: IncomingMessage, response: ServerResponse, route: Route, token: string): Promise<void> {
    const caller = await authenticate(token);
    switch (route.name) {
      case 'bundle':
        streams.open(caller, route.proxy, response, () => authenticate(token));
        return;
      case 'acknowledge':
        acknowledgements.record(caller, readAcknowledgement(await readJSON(request), ''));
        answerNothing(response);
        return;
      case 'open': {
        const {outcome, state} = await accessRequests.open(caller, readOpenRequest(await readJSON(request), ''));
        answerJSON(response, outcome === 'Opened' ? 201 : 200, state);
        return;
      }
      case 'follow': {
        const gone = new AbortController();
        response.once('close', () => gone.abort());
        const until = AbortSignal.any([gone.signal, closing.signal]);
        answerJSON(response, 200, await accessRequests.follow(caller, route, until));
        return;
      }
      case 'consume': {
        const consume = readConsumeRequest(await readJSON(request), '');
        answerJSON(response, 200, await accessRequests.consume(caller, route.target, consume));
        return;
      }
      case 'checkpoint':
        await checkpoints.record(caller, readCheckpoint(await readJSON(request), ''));
        answerNothing(response);
    }
  }

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let routeName = 'unknown';
    response.once('close', () => {
      const code = response.headersSent ? String(response.statusCode) : '<aborted>';
      answered.inc({route: routeName, code});
    });
    try {
      const token = bearerToken(request);
      const route = routeOf(request.method ?? '', request.url ?? '');
      routeName = route.name;
      await serve(request, response, route, token);
    } catch (error) {
      const refusal = refusalOf(error);
      if (refusal.httpStatus >= 500) {
        const {message, cause} = refusal;
        log.error('control request failed', {route: routeName, code: refusal.code, message, cause: String(cause)});
      }
      answerRefusal(response, refusal);
    }
  }

  let served = await readCertificate(options.certificate);
  const server = createServer(
    // A proxy sends small bodies at once; whoever trickles them only holds a connection. Keep-alive probes find streams
    // whose other end vanished.
    {
      ...served,
      minVersion: 'TLSv1.2',
      headersTimeout: 10_000,
      requestTimeout: 30_000,
      keepAlive: true,
      keepAliveInitialDelay: 10_000,
    },
    (request, response) => void handle(request, response),
  );
  server.on('tlsClientError', (error) => log.debug('TLS handshake failed', {error: error.message}));

  async function reloadCertificate(): Promise<void> {
    const changed = await changedCertificate(options.certificate, served, log);
    if (changed) {
      served = changed;
      server.setSecureContext({...changed, minVersion: 'TLSv1.2'});
      log.info('certificate reloaded', {file: options.certificate.certificateFile});
    }
  }

  let cancelCheck = () => {};
  function checkLater(): void {
    if (closing.signal.aborted) {
      return;
    }
    cancelCheck = clock.after(certificateCheckMilliseconds, () => void reloadCertificate().then(checkLater));
  }

  return {
    listen(port, host) {
      return new Promise((resolve, reject) => {
        server.once('error', reject);
        server.listen(port, host, () => {
          server.off('error', reject);
          checkLater();
          resolve(server.address() as AddressInfo);
        });
      });
    },
    reloadCertificate,
    close() {
      closing.abort();
      cancelCheck();
      acknowledgements.close();
      return new Promise((resolve) => {
        const cancel = clock.after(drainMilliseconds, () => server.closeAllConnections());
        server.close(() => {
          cancel();
          resolve();
        });
        streams.close();
        server.closeIdleConnections();
      });
    },
  };
}
