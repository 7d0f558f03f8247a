import {describe, expect, test} from '@jest/globals';
import {ConfigurationError, HelpShown} from '../serve/flags.ts';
import {parseConfiguration} from './configuration.ts';

const required = [
  ['--tls-certificate-file', 'tls.crt'],
  ['--tls-private-key-file', 'tls.key'],
  ['--authentication-config', 'authentication.yaml'],
  ['--control-url', 'https://operator:9443'],
  ['--audit-log-file', '/var/lib/lockkeeper/audit.log'],
] as const;

const parse = (...args: string[]) => parseConfiguration([...required.flat(), ...args], 'gateway-0');

test('what is not said has its default', () => {
  expect(parse()).toEqual({
    mode: 'gateway',
    listenAddress: {host: undefined, port: 8443},
    metricsAddress: {host: undefined, port: 8080},
    tlsCertificateFile: 'tls.crt',
    tlsPrivateKeyFile: 'tls.key',
    upstreamUrl: 'https://kubernetes.default.svc',
    upstreamCaFile: '/var/run/secrets/kubernetes.io/serviceaccount/ca.crt',
    upstreamTokenFile: '/var/run/secrets/kubernetes.io/serviceaccount/token',
    authenticationConfig: 'authentication.yaml',
    maximumTokenLifetimeSeconds: 3600,
    controlUrl: 'https://operator:9443',
    controlTokenFile: '/var/run/secrets/lockkeeper/control-token',
    maximumStalenessSeconds: 300,
    auditLogFile: '/var/lib/lockkeeper/audit.log',
    recordingDirectory: '/var/lib/lockkeeper/recordings',
    proxyId: 'gateway-0',
    maximumBodyBytes: 3 * 1024 * 1024,
    maximumRequestsInFlight: 1000,
    compressResponses: false,
    drainSeconds: 30,
    logLevel: 'info',
  });
});

test.each<[string[], object]>([
  [['--mode', 'sidecar'], {mode: 'sidecar'}],
  [['--listen-address', '127.0.0.1:9443'], {listenAddress: {host: '127.0.0.1', port: 9443}}],
  [['--listen-address', '[::1]:0'], {listenAddress: {host: '::1', port: 0}}],
  [['--metrics-address=localhost:8081'], {metricsAddress: {host: 'localhost', port: 8081}}],
  [['--upstream-url', 'https://10.0.0.1:6443/'], {upstreamUrl: 'https://10.0.0.1:6443'}],
  [
    ['--service-account-issuer', 'https://kubernetes.default.svc'],
    {serviceAccountIssuer: 'https://kubernetes.default.svc'},
  ],
  [['--maximum-token-lifetime', '1h30m'], {maximumTokenLifetimeSeconds: 5400}],
  [['--maximum-staleness', '90s'], {maximumStalenessSeconds: 90}],
  [['--drain', '0s'], {drainSeconds: 0}],
  [['--maximum-body-bytes', '1024'], {maximumBodyBytes: 1024}],
  [['--compress-responses'], {compressResponses: true}],
  [['--control-ca-file', 'ca.crt'], {controlCaFile: 'ca.crt'}],
  [['--audit-log-file', 'audit.log'], {recordingDirectory: 'recordings'}],
  [['--recording-directory', '/recordings'], {recordingDirectory: '/recordings'}],
  [['--proxy-id', 'p-1'], {proxyId: 'p-1'}],
  [['--log-level', 'debug'], {logLevel: 'debug'}],
])('%j', (args, expected) => {
  expect(parse(...args)).toMatchObject(expected);
});

describe('what cannot be read is one sentence that names the flag', () => {
  test.each<[string, string, string]>([
    ['--mode', 'transparent', 'gateway, sidecar'],
    ['--listen-address', '8443', 'Want host:port'],
    ['--listen-address', 'host:70000', 'Want host:port'],
    ['--listen-address', '::1:8443', 'Want host:port'],
    ['--metrics-address', 'host:', 'Want host:port'],
    ['--upstream-url', 'http://10.0.0.1', 'Want https://host:port'],
    ['--upstream-url', '10.0.0.1:6443', 'Want https://host:port'],
    ['--upstream-url', 'https://10.0.0.1/path', 'Want https://host:port'],
    ['--upstream-url', 'https://user:secret@10.0.0.1', 'Want https://host:port'],
    ['--upstream-url', 'https://:secret@10.0.0.1', 'Want https://host:port'],
    ['--upstream-url', 'https://10.0.0.1?x=1', 'Want https://host:port'],
    ['--upstream-url', 'https://10.0.0.1#x', 'Want https://host:port'],
    ['--control-url', '', 'Want https://host:port'],
    ['--maximum-token-lifetime', '3600', 'Want a duration'],
    ['--maximum-staleness', '5 minutes', 'Want a duration'],
    ['--drain', '-1s', 'Want a duration'],
    ['--maximum-body-bytes', '3Mi', 'Want a whole number'],
    ['--maximum-body-bytes', '', 'Want a whole number'],
    ['--maximum-requests-in-flight', '0', 'Want a whole number'],
    ['--maximum-requests-in-flight', '1.5', 'Want a whole number'],
    ['--log-level', 'loud', 'error, warn, info, debug'],
  ])('%s %j', (flag, value, wanted) => {
    const message = messageOf(() => parse(`${flag}=${value}`));
    expect(message).toContain(flag);
    expect(message).toContain(wanted);
    expect(message).not.toContain('\n');
  });

  test.each(required.map(([flag]) => flag))('%s is missing', (flag) => {
    const args = required.filter(([name]) => name !== flag).flat();
    const message = messageOf(() => parseConfiguration(args, 'gateway-0'));
    expect(message).toContain(flag);
    expect(message).not.toContain('\n');
  });

  test('a flag that does not exist', () => {
    expect(messageOf(() => parse('--masking', 'off'))).toContain('--masking');
  });

  test('a flag without its value', () => {
    expect(messageOf(() => parse('--proxy-id'))).toContain('--proxy-id');
  });

  test('an argument that is no flag', () => {
    expect(messageOf(() => parse('serve'))).toMatch(/argument/);
  });
});

test('a flag given twice counts as said last, as in every command of Kubernetes', () => {
  expect(parse('--proxy-id', 'one', '--proxy-id', 'two').proxyId).toBe('two');
});

test('asking for help runs nothing', () => {
  const write = process.stdout.write;
  const shown: string[] = [];
  process.stdout.write = ((text: string) => shown.push(text) > 0) as typeof write;
  try {
    expect(() => parse('--help')).toThrow(HelpShown);
  } finally {
    process.stdout.write = write;
  }
  expect(shown.join('')).toContain('--audit-log-file <file>');
});

function messageOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof ConfigurationError) return error.message;
    throw error;
  }
  throw new Error('was read');
}
