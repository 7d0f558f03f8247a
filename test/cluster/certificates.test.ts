import {X509Certificate} from 'node:crypto';
import {expect, test} from '@jest/globals';
import {createAuthority, issueCertificate} from './certificates.ts';

test('a server certificate names every host and address, and its authority verifies it', async () => {
  const authority = await createAuthority('cluster');
  const pair = await issueCertificate(authority, {
    usage: 'server',
    names: ['localhost', 'kubernetes.default.svc'],
    addresses: ['127.0.0.1'],
  });
  const certificate = new X509Certificate(pair.certificate);
  expect(certificate.verify(new X509Certificate(authority.certificate).publicKey)).toBe(true);
  expect(certificate.checkHost('kubernetes.default.svc')).toBe('kubernetes.default.svc');
  expect(certificate.checkIP('127.0.0.1')).toBe('127.0.0.1');
  expect(certificate.ca).toBe(false);
});

test('a client certificate carries any user and every group unchanged', async () => {
  const authority = await createAuthority('cluster');
  const user = 'system:serviceaccount:a,CN=admin+O=system:masters;"ü"';
  const pair = await issueCertificate(authority, {usage: 'client', user, groups: ['one', 'two=2']});
  const {subject} = new X509Certificate(pair.certificate).toLegacyObject();
  expect({...subject}).toEqual({CN: user, O: ['one', 'two=2']});
});
