import type {AddressInfo} from 'node:net';
import {collectDefaultMetrics, Registry} from 'prom-client';
import type {Logger} from 'winston';
import {listening} from '../serve/flags.ts';
import {serveObservation} from '../serve/observation.ts';
import {createAdmissionGuard} from './admission/guard.ts';
import {readShippedAdmission} from './admission/shipped.ts';
import type {OperatorConfiguration} from './configuration.ts';
import {createControlServer} from './control/server.ts';
import type {Clock} from './kube/clock.ts';
import {inClusterCredentials, kubeconfigCredentials} from './kube/credentials.ts';
import {createEventRecorder} from './kube/events.ts';
import {KubeHTTPClient} from './kube/http.ts';
import {LeaderElection} from './kube/lease.ts';
import {createControllerMetrics} from './kube/metrics.ts';
import {Reflector} from './kube/reflector.ts';
import {createOperatorMetrics} from './metrics.ts';
import {PolicyController} from './policy/controller.ts';
import {parsePolicy, policiesPath} from './policy/parse.ts';
import {ProxyLeases} from './policy/proxies.ts';
import {runPolicyStatus} from './policy/statuscontroller.ts';
import {createAnnounce} from './request/announce.ts';
import {createRequestController} from './request/controller.ts';
import {parseAccessRequest} from './request/parse.ts';

export interface OperatorDependencies {
  /** Aborted: shut down. */
  readonly signal: AbortSignal;
  readonly log: Logger;
  readonly clock: Clock;
  readonly random: () => number;
  /** Names this process in leases and events; different in every process that runs. */
  readonly identity: string;
  /** Where a pod finds its API server. */
  readonly environment: NodeJS.ProcessEnv;
  /** Told once both servers listen. */
  readonly listening?: (addresses: {readonly control: AddressInfo; readonly metrics: AddressInfo}) => void;
}

export const electionLease = 'lockkeeper-operator';
const accessRequestsOfCluster = '/apis/lockkeeper.dev/v1alpha1/accessrequests';
const callTimeoutMilliseconds = 30_000;

/**
 * Runs the operator until the signal aborts; resolves once the leadership is given back and every stream and connection
 * has ended. Rejects where it cannot start: credentials, certificate, addresses, shipped admission policies.
 */
export async function runOperator(configuration: OperatorConfiguration, given: OperatorDependencies): Promise<void> {
  const {signal, log, clock, random, identity} = given;
  const {kubeconfig, rootNamespace} = configuration;
  const credentials = await (kubeconfig ? kubeconfigCredentials(kubeconfig) : inClusterCredentials(given.environment));
  const shipped = await readShippedAdmission(configuration.admissionDirectory);
  const registry = new Registry();
  collectDefaultMetrics({register: registry});
  const metrics = createControllerMetrics(registry);
  const operatorMetrics = createOperatorMetrics(registry, new URL(credentials.server).host);
  const client = new KubeHTTPClient({
    credentials,
    userAgent: 'lockkeeper-operator',
    timeoutMilliseconds: callTimeoutMilliseconds,
    observe: operatorMetrics.called,
  });

  const watching = {client, clock, random, log};
  const store = new Reflector({...watching, path: policiesPath, parse: parsePolicy});
  const accessRequests = new Reflector({...watching, path: accessRequestsOfCluster, parse: parseAccessRequest});
  const admission = createAdmissionGuard({...watching, shipped, registry});
  const events = createEventRecorder({client, instance: identity, clock, log});
  const announce = createAnnounce(events, registry);
  const policies = new PolicyController({store, rootNamespace, clock, log, observe: operatorMetrics.compiled});
  const proxies = new ProxyLeases({...watching, rootNamespace, identity, metrics});
  const requests = createRequestController({...watching, accessRequests, admission, announce, metrics});
  const control = await createControlServer({
    client,
    clock,
    log,
    registry,
    rootNamespace,
    events,
    announce,
    accessRequests,
    admission,
    publisher: policies,
    proxies,
    gatewayServiceAccounts: configuration.gatewayServiceAccounts,
    certificate: {
      certificateFile: configuration.tlsCertificateFile,
      keyFile: configuration.tlsPrivateKeyFile,
    },
  });
  const observation = await listening('--metrics-address', configuration.metricsAddress, ({host, port}) =>
    serveObservation({
      host,
      port,
      registry,
      checks: {
        policies: () => policies.current() !== undefined,
        accessrequests: () => accessRequests.synced,
        running: () => !signal.aborted,
      },
    }),
  );
  try {
    const address = await listening('--control-address', configuration.controlAddress, ({host, port}) =>
      control.listen(port, host),
    );
    log.info('operator started', {identity, apiServer: credentials.server, rootNamespace, control: address});
    given.listening?.({control: address, metrics: observation.address});

    const lead = async (term: AbortSignal) => {
      const status = runPolicyStatus({...watching, store, policies, events, rootNamespace, metrics}, term);
      await Promise.all([status, requests.run(term)]);
    };
    const election = new LeaderElection({
      ...watching,
      namespace: rootNamespace,
      name: electionLease,
      identity,
      lead,
      observe: (leading) => operatorMetrics.leading(electionLease, leading),
    });

    const failed = new AbortController();
    const ending = AbortSignal.any([signal, failed.signal]);
    // Caches outlive the leader's work and the streams, which end by them.
    const caches = new AbortController();
    const watches = Promise.all([
      store.run(caches.signal),
      accessRequests.run(caches.signal),
      admission.run(caches.signal),
      proxies.run(caches.signal),
    ]);
    const work = (async () => {
      await Promise.race([Promise.all([store.untilSynced(), accessRequests.untilSynced()]), aborted(ending)]);
      if (ending.aborted) return;
      policies.run(caches.signal);
      log.info('caches synced', {policies: store.list().length, accessRequests: accessRequests.list().length});
      await (configuration.leaderElect ? election.run(ending) : lead(ending));
    })();
    try {
      // None of these ends by itself: a rejection is a fault of ours, and the process is better started anew.
      await Promise.race([aborted(signal), watches, work]);
    } finally {
      failed.abort();
      await Promise.allSettled([work, control.close()]);
      caches.abort();
      await Promise.allSettled([watches]);
    }
  } finally {
    await observation.close();
    await client.close();
  }
  log.info('operator stopped', {identity});
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), {once: true}));
}
