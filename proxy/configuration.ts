import {dirname, join} from 'node:path';
import {Command, InvalidArgumentError, Option} from 'commander';
import {durationSeconds} from '../core/policy/duration.ts';
import {type ListenAddress, type LogLevel, logLevels, parseFlags, parseListenAddress} from '../serve/flags.ts';

const serviceAccountDirectory = '/var/run/secrets/kubernetes.io/serviceaccount';

/** The proxy's settings, one for each flag. */
export interface ProxyConfiguration {
  /** How it forwards: by impersonation, or as its own ServiceAccount. */
  readonly mode: 'gateway' | 'sidecar';
  readonly listenAddress: ListenAddress;
  readonly metricsAddress: ListenAddress;
  readonly tlsCertificateFile: string;
  readonly tlsPrivateKeyFile: string;
  readonly upstreamUrl: string;
  readonly upstreamCaFile: string;
  readonly upstreamTokenFile: string;
  readonly authenticationConfig: string;
  readonly serviceAccountIssuer?: string;
  readonly maximumTokenLifetimeSeconds: number;
  readonly controlUrl: string;
  readonly controlCaFile?: string;
  readonly controlTokenFile: string;
  readonly maximumStalenessSeconds: number;
  readonly auditLogFile: string;
  readonly recordingDirectory: string;
  readonly proxyId: string;
  readonly maximumBodyBytes: number;
  readonly maximumRequestsInFlight: number;
  readonly compressResponses: boolean;
  readonly drainSeconds: number;
  readonly logLevel: LogLevel;
}

/** The proxy's command line; also what the reference of its flags is made from. */
export function proxyProgram(hostname: string): Command {
  return new Command('lockkeeper-proxy')
    .description(
      'Puts the Kubernetes API calls of AI agents behind policy: authenticates, decides, records, forwards, masks.',
    )
    .addOption(
      new Option('--mode <mode>', "gateway: forward by impersonation; sidecar: forward as the pod's own ServiceAccount")
        .choices(['gateway', 'sidecar'])
        .default('gateway'),
    )
    .addOption(
      new Option(
        '--listen-address <host:port>',
        'where agents connect, over HTTPS; without a host at every address of the machine',
      )
        .argParser(parseListenAddress)
        .default({host: undefined, port: 8443}, ':8443'),
    )
    .addOption(
      new Option('--metrics-address <host:port>', 'where /metrics, /healthz and /readyz are served, over HTTP')
        .argParser(parseListenAddress)
        .default({host: undefined, port: 8080}, ':8080'),
    )
    .requiredOption(
      '--tls-certificate-file <file>',
      'certificate chain shown to agents, PEM; read again when it changes',
    )
    .requiredOption('--tls-private-key-file <file>', 'private key of that certificate, PEM')
    .option('--upstream-url <url>', 'the Kubernetes API server', parseOrigin, 'https://kubernetes.default.svc')
    .option('--upstream-ca-file <file>', 'authority of the API server, PEM', `${serviceAccountDirectory}/ca.crt`)
    .option(
      '--upstream-token-file <file>',
      'bearer token of the proxy at the API server; read again when it rotates',
      `${serviceAccountDirectory}/token`,
    )
    .requiredOption(
      '--authentication-config <file>',
      'AuthenticationConfiguration (apiserver.config.k8s.io) that says whose tokens are accepted; reloaded when it changes',
    )
    .option(
      '--service-account-issuer <url>',
      "the cluster's own issuer of ServiceAccount tokens: the one issuer of the file whose tokens may name ServiceAccounts",
    )
    .addOption(
      new Option('--maximum-token-lifetime <duration>', 'tokens made to live longer are refused')
        .argParser(parseDuration)
        .default(3600, '1h'),
    )
    .requiredOption('--control-url <url>', "the operator's control API", parseOrigin)
    .option('--control-ca-file <file>', "authority of the control API, PEM (default: the system's)")
    .option(
      '--control-token-file <file>',
      'ServiceAccount token of audience lockkeeper-operator',
      '/var/run/secrets/lockkeeper/control-token',
    )
    .addOption(
      new Option('--maximum-staleness <duration>', 'writes are refused when the operator was not heard for longer')
        .argParser(parseDuration)
        .default(300, '5m'),
    )
    .requiredOption('--audit-log-file <file>', 'the audit log: one JSON object a line, hash chained')
    .option(
      '--recording-directory <directory>',
      'recordings of exec, attach and port-forward (default: recordings, beside the audit log)',
    )
    .option('--proxy-id <name>', 'names this proxy to the operator and begins the name of its audit chain', hostname)
    .option('--maximum-body-bytes <bytes>', 'largest request body that policy reads', parseCount, 3 * 1024 * 1024)
    .option(
      '--maximum-requests-in-flight <count>',
      'calls under way at once, long-running ones left out; more get 429',
      parseCount,
      1000,
    )
    .option(
      '--compress-responses',
      'send large answers in gzip to agents that accept it: costs CPU, and saves time over slow links',
      false,
    )
    .addOption(
      new Option('--drain <duration>', 'how long calls under way may take to end when the proxy stops')
        .argParser(parseDuration)
        .default(30, '30s'),
    )
    .addOption(
      new Option('--log-level <level>', 'least severe level that is logged').choices(logLevels).default('info'),
    );
}

/**
 * Reads the command line.
 *
 * @param args without the interpreter and the script
 * @throws ConfigurationError, HelpShown
 */
export function parseConfiguration(args: readonly string[], hostname: string): ProxyConfiguration {
  type Unnamed = 'maximumTokenLifetimeSeconds' | 'maximumStalenessSeconds' | 'drainSeconds';
  const {maximumTokenLifetime, maximumStaleness, drain, ...rest} = parseFlags<
    Omit<ProxyConfiguration, Unnamed | 'recordingDirectory'> & {
      recordingDirectory?: string;
      maximumTokenLifetime: number;
      maximumStaleness: number;
      drain: number;
    }
  >(args, proxyProgram(hostname));
  return {
    ...rest,
    recordingDirectory: rest.recordingDirectory ?? join(dirname(rest.auditLogFile), 'recordings'),
    maximumTokenLifetimeSeconds: maximumTokenLifetime,
    maximumStalenessSeconds: maximumStaleness,
    drainSeconds: drain,
  };
}

function parseOrigin(text: string): string {
  const url = URL.parse(text);
  if (url?.protocol !== 'https:' || url.href !== `${url.origin}/`) {
    throw new InvalidArgumentError('Want https://host:port without a path.');
  }
  return url.origin;
}

function parseCount(text: string): number {
  const count = Number(text);
  if (!Number.isSafeInteger(count) || count < 1) throw new InvalidArgumentError('Want a whole number above 0.');
  return count;
}

/** Gives seconds. */
function parseDuration(text: string): number {
  const seconds = durationSeconds(text);
  if (seconds === undefined) throw new InvalidArgumentError('Want a duration such as 30s, 5m or 1h30m.');
  return seconds;
}
