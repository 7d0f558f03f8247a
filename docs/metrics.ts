import {mkdtemp, rm, writeFile} from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import {collectDefaultMetrics, Registry} from 'prom-client';
import winston from 'winston';
import {createAdmissionGuard} from '../operator/admission/guard.ts';
import {createControlServer} from '../operator/control/server.ts';
import {systemClock} from '../operator/kube/clock.ts';
import {createControllerMetrics} from '../operator/kube/metrics.ts';
import {createOperatorMetrics} from '../operator/metrics.ts';
import {createAnnounce} from '../operator/request/announce.ts';
import {Metrics} from '../proxy/serve/metrics.ts';
import {createAuthority, issueCertificate} from '../test/cluster/certificates.ts';
import {generatedFrom, table} from './markdown.ts';

/** The reference page of everything that proxy and operator count. */
export async function metricsReference(): Promise<string> {
  return [
    generatedFrom('the programs themselves'),
    '# Metrics',
    'Both programs serve them in Prometheus’ text format at `/metrics` of `--metrics-address`, next to `/healthz` and `/readyz`. Beside those below there are the process’s own (`process_*` and `nodejs_*`: CPU, memory, open files, event loop, garbage collection), as prom-client names them.',
    '## lockkeeper-proxy',
    metricsTable(new Metrics().registry),
    '## lockkeeper-operator',
    'What queues, leader election and calls to the API server count bears the names of controller-runtime and client-go.',
    metricsTable(await operatorRegistry()),
    '',
  ].join('\n\n');
}

function metricsTable(registry: Registry): string {
  const processOwn = new Registry();
  collectDefaultMetrics({register: processOwn});
  return table(
    ['metric', 'type', 'labels', 'meaning'],
    registry
      .getMetricsAsArray()
      .filter(({name}) => processOwn.getSingleMetric(name) === undefined)
      .map((metric) => {
        // Not in prom-client's types, and its JSON tells labels of values only, of which there are none yet.
        const {name, type, help, labelNames} = metric as typeof metric & {labelNames: readonly string[]};
        return [`\`${name}\``, String(type), labelNames.map((label) => `\`${label}\``).join(', '), help];
      })
      .sort(([a = ''], [b = '']) => (a < b ? -1 : 1)),
  );
}

/** What each part of the operator registers when run.ts makes it. Nothing here is run, so they get nothing to work with. */
async function operatorRegistry(): Promise<Registry> {
  const registry = new Registry();
  const unused = undefined as never;
  const log = winston.createLogger({silent: true});
  const directory = await mkdtemp(path.join(os.tmpdir(), 'lockkeeper-docs-'));
  try {
    const certificateFile = path.join(directory, 'tls.crt');
    const keyFile = path.join(directory, 'tls.key');
    const {certificate, key} = await issueCertificate(await createAuthority('docs'), {
      usage: 'server',
      names: ['localhost'],
      addresses: [],
    });
    await writeFile(certificateFile, certificate);
    await writeFile(keyFile, key, {mode: 0o600});
    createControllerMetrics(registry);
    createOperatorMetrics(registry, '');
    createAnnounce(unused, registry);
    createAdmissionGuard({client: unused, shipped: [], clock: systemClock, random: Math.random, log, registry});
    await createControlServer({
      registry,
      certificate: {certificateFile, keyFile},
      publisher: {current: () => undefined, subscribe: () => () => {}},
      gatewayServiceAccounts: [],
      rootNamespace: '',
      clock: systemClock,
      log,
      client: unused,
      events: unused,
      announce: unused,
      accessRequests: unused,
      admission: unused,
      proxies: unused,
    });
  } finally {
    await rm(directory, {recursive: true});
  }
  return registry;
}
