import {mkdtemp, rm, writeFile} from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import {afterAll, beforeAll, describe, expect, test} from '@jest/globals';
import {stringify} from 'yaml';
import {CredentialsError, inClusterCredentials, kubeconfigCredentials} from './credentials.ts';

let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(path.join(os.tmpdir(), 'lockkeeper-credentials-'));
});

afterAll(() => rm(directory, {recursive: true, force: true}));

async function kubeconfig(user: object, cluster: object = {}): Promise<string> {
  const file = path.join(directory, 'kubeconfig');
  await writeFile(
    file,
    stringify({
      clusters: [{name: 'c', cluster: {server: 'https://kube.example.com:6443/', ...cluster}}],
      users: [{name: 'u', user}],
      contexts: [{name: 'x', context: {cluster: 'c', user: 'u'}}],
      'current-context': 'x',
    }),
  );
  return file;
}

describe('kubeconfig', () => {
  test('gives server, token and TLS material', async () => {
    const base64 = (text: string) => Buffer.from(text).toString('base64');
    const file = await kubeconfig(
      {token: 'secret', 'client-certificate-data': base64('CERT'), 'client-key-data': base64('KEY')},
      {'certificate-authority-data': base64('CA'), 'tls-server-name': 'kube'},
    );
    const credentials = await kubeconfigCredentials(file);
    expect(credentials.server).toBe('https://kube.example.com:6443');
    const {headers, tls} = await credentials.current();
    expect(headers).toEqual({authorization: 'Bearer secret'});
    expect(tls).toEqual({
      ca: Buffer.from('CA'),
      cert: Buffer.from('CERT'),
      key: Buffer.from('KEY'),
      servername: 'kube',
    });
  });

  test('a token file is found beside it, wins over a token, and is read again after a reload', async () => {
    const file = await kubeconfig({tokenFile: 'token', token: 'fixed'});
    await writeFile(path.join(directory, 'token'), 'first\n');
    const credentials = await kubeconfigCredentials(file);
    expect((await credentials.current()).headers).toEqual({authorization: 'Bearer first'});
    await writeFile(path.join(directory, 'token'), 'second\n');
    await credentials.reload();
    expect((await credentials.current()).headers).toEqual({authorization: 'Bearer second'});
  });

  test('a certificate authority that rotates on disk is read again with each call', async () => {
    const ca = path.join(directory, 'ca.crt');
    await writeFile(ca, 'one');
    const credentials = await kubeconfigCredentials(
      await kubeconfig({token: 't'}, {'certificate-authority': 'ca.crt'}),
    );
    expect((await credentials.current()).tls.ca).toEqual(Buffer.from('one'));
    await writeFile(ca, 'two');
    expect((await credentials.current()).tls.ca).toEqual(Buffer.from('two'));
  });

  test.each<[string, () => Promise<string>, string]>([
    ['does not exist', async () => path.join(directory, 'absent'), 'ENOENT'],
    ['speaks plain HTTP', () => kubeconfig({}, {server: 'http://kube.example.com'}), 'want https'],
    ['needs a proxy', () => kubeconfig({}, {'proxy-url': 'http://proxy.example.com'}), 'proxy-url'],
    [
      'has no current context',
      async () => {
        const file = path.join(directory, 'empty');
        await writeFile(file, stringify({clusters: [], users: [], contexts: []}));
        return file;
      },
      'names no cluster',
    ],
  ])('one that %s is refused in a sentence', async (_what, make, message) => {
    const refused = kubeconfigCredentials(await make());
    await expect(refused).rejects.toThrow(CredentialsError);
    await expect(refused).rejects.toThrow(message);
  });
});

test('outside of a pod the credentials of the pod are refused in a sentence', async () => {
  await expect(inClusterCredentials({})).rejects.toThrow('KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT');
});
