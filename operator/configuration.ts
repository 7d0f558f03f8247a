import {Command, InvalidArgumentError, Option} from 'commander';
import {type ListenAddress, type LogLevel, logLevels, parseFlags, parseListenAddress} from '../serve/flags.ts';

export interface ServiceAccountName {
  readonly namespace: string;
  readonly name: string;
}

export interface OperatorConfiguration {
  /** Undefined: the pod's own ServiceAccount. */
  readonly kubeconfig: string | undefined;
  readonly rootNamespace: string;
  readonly controlAddress: ListenAddress;
  readonly tlsCertificateFile: string;
  readonly tlsPrivateKeyFile: string;
  readonly metricsAddress: ListenAddress;
  readonly gatewayServiceAccounts: readonly ServiceAccountName[];
  readonly admissionDirectory: string;
  readonly leaderElect: boolean;
  readonly logLevel: LogLevel;
}

/** The operator's command line; also what the reference of its flags is made from. */
export function operatorProgram(): Command {
  return new Command('lockkeeper-operator')
    .description(
      'Compiles AgentAccessPolicies for the proxies, follows AccessRequests, and writes the status of both. ' +
        'Runs in any number of replicas: each serves proxies, one elected leader writes status.',
    )
    .option('--kubeconfig <file>', 'kubeconfig of the cluster to work in (default: the ServiceAccount of the pod)')
    .option(
      '--root-namespace <name>',
      'namespace whose policies apply to every request; holds the leases, and AccessRequests for cluster-scoped operations',
      parseNamespace,
      'lockkeeper-system',
    )
    .addOption(
      new Option(
        '--control-address <host:port>',
        'where proxies reach the control API, over HTTPS; without a host at every address of the machine',
      )
        .argParser(parseListenAddress)
        .default({host: undefined, port: 9443}, ':9443'),
    )
    .requiredOption('--tls-certificate-file <file>', 'certificate chain of the control API, PEM')
    .requiredOption('--tls-private-key-file <file>', 'private key of that certificate, PEM')
    .addOption(
      new Option('--metrics-address <host:port>', 'where /metrics, /healthz and /readyz are served, over HTTP')
        .argParser(parseListenAddress)
        .default({host: undefined, port: 8080}, ':8080'),
    )
    .addOption(
      new Option(
        '--gateway-service-account <namespace:name>',
        'ServiceAccount that gateway proxies run under, and that may so act for every agent; may be repeated',
      )
        .argParser(collectServiceAccount)
        .default([], 'none'),
    )
    .requiredOption(
      '--admission-directory <directory>',
      'the admission policies as shipped: decisions are honoured only while the cluster holds them unchanged',
    )
    .option('--leader-elect', 'write status only while holding the Lease lockkeeper-operator (default)', true)
    .option('--no-leader-elect', 'write status without election: for a single replica that never overlaps with another')
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
export function parseConfiguration(args: readonly string[]): OperatorConfiguration {
  const {gatewayServiceAccount, kubeconfig, ...rest} = parseFlags<
    Omit<OperatorConfiguration, 'gatewayServiceAccounts' | 'kubeconfig'> & {
      kubeconfig?: string;
      gatewayServiceAccount: readonly ServiceAccountName[];
    }
  >(args, operatorProgram());
  return {...rest, kubeconfig, gatewayServiceAccounts: gatewayServiceAccount};
}

const label = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;

function parseNamespace(text: string): string {
  if (!label.test(text)) throw new InvalidArgumentError('Want the name of a namespace, such as lockkeeper-system.');
  return text;
}

function collectServiceAccount(text: string, before: readonly ServiceAccountName[]): readonly ServiceAccountName[] {
  const [namespace = '', name = '', ...more] = text.split(':');
  // A ServiceAccount's name is a DNS subdomain.
  if (!label.test(namespace) || !/^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/.test(name) || more.length > 0) {
    throw new InvalidArgumentError('Want namespace:name, such as lockkeeper-system:lockkeeper-gateway.');
  }
  return [...before, {namespace, name}];
}
