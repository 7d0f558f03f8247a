import {describe, expect, test} from '@jest/globals';
import {ConfigurationError, HelpShown, parseFlags} from '../serve/flags.ts';
import {operatorProgram, parseConfiguration} from './configuration.ts';

const required = ['--tls-certificate-file=c.pem', '--tls-private-key-file=k.pem', '--admission-directory=admission'];

describe('operator flags', () => {
  test('have defaults that suit a pod', () => {
    expect(parseConfiguration(required)).toEqual({
      kubeconfig: undefined,
      rootNamespace: 'lockkeeper-system',
      controlAddress: {host: undefined, port: 9443},
      tlsCertificateFile: 'c.pem',
      tlsPrivateKeyFile: 'k.pem',
      metricsAddress: {host: undefined, port: 8080},
      gatewayServiceAccounts: [],
      admissionDirectory: 'admission',
      leaderElect: true,
      logLevel: 'info',
    });
  });

  test('are all read', () => {
    const flags = [
      '--kubeconfig=k.yaml',
      '--root-namespace=security',
      '--control-address=127.0.0.1:1234',
      '--metrics-address=[::1]:0',
      '--gateway-service-account=a:b',
      '--gateway-service-account=c:d.e',
      '--no-leader-elect',
      '--log-level=debug',
    ];
    expect(parseConfiguration([...required, ...flags])).toMatchObject({
      kubeconfig: 'k.yaml',
      rootNamespace: 'security',
      controlAddress: {host: '127.0.0.1', port: 1234},
      metricsAddress: {host: '::1', port: 0},
      gatewayServiceAccounts: [
        {namespace: 'a', name: 'b'},
        {namespace: 'c', name: 'd.e'},
      ],
      leaderElect: false,
      logLevel: 'debug',
    });
  });

  test.each([
    [['--admission-directory=d'], '--tls-certificate-file'],
    [required.slice(0, 2), '--admission-directory'],
    [[...required, '--control-address=9443'], '--control-address'],
    [[...required, '--control-address=localhost:99999'], '--control-address'],
    [[...required, '--control-address=::1:80'], '--control-address'],
    [[...required, '--metrics-address=https://localhost:80'], '--metrics-address'],
    [[...required, '--root-namespace=Lock_Keeper'], '--root-namespace'],
    [[...required, '--gateway-service-account=gateway'], '--gateway-service-account'],
    [[...required, '--gateway-service-account=system:serviceaccount:a:b'], '--gateway-service-account'],
    [[...required, '--log-level=loud'], '--log-level'],
    [[...required, '--kubeconfig'], '--kubeconfig'],
    [[...required, '--no-such-flag'], '--no-such-flag'],
  ])('%j is refused in one line that names %s', (flags, flag) => {
    const parse = () => parseConfiguration(flags);
    expect(parse).toThrow(ConfigurationError);
    expect(parse).toThrow(expect.objectContaining({message: expect.stringMatching(new RegExp(`^.*${flag}.*$`))}));
  });

  test('an argument that is no flag is refused', () => {
    expect(() => parseConfiguration([...required, 'serve'])).toThrow(ConfigurationError);
  });

  test('every flag is described', () => {
    for (const {flags, description} of operatorProgram().options) expect([flags, description]).not.toEqual([flags, '']);
  });

  test('asking for help runs nothing', () => {
    const program = operatorProgram().configureOutput({writeOut: () => {}});
    expect(() => parseFlags(['--help'], program)).toThrow(HelpShown);
  });
});
