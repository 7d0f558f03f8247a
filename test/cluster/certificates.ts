import 'reflect-metadata';
import {createPrivateKey, generateKeyPair, KeyObject, randomBytes, webcrypto} from 'node:crypto';
import {promisify} from 'node:util';
import {
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  Name,
  SubjectAlternativeNameExtension,
  X509Certificate,
  X509CertificateGenerator,
} from '@peculiar/x509';

/** A certificate and its private key (PKCS#8), both PEM. */
export interface CertificatePair {
  readonly certificate: string;
  readonly key: string;
}

/** What a certificate is for: `names` and `addresses` are a server's SANs; a client is a Kubernetes user in groups. */
export type CertificateSubject =
  | {readonly usage: 'server'; readonly names: readonly string[]; readonly addresses: readonly string[]}
  | {readonly usage: 'client'; readonly user: string; readonly groups: readonly string[]};

const algorithm = {name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256'} as const;
const millisecondsPerDay = 86_400_000;

/** A new certificate authority that signs the certificates of one cluster. */
export async function createAuthority(commonName: string): Promise<CertificatePair> {
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const certificate = await X509CertificateGenerator.createSelfSigned({
    ...validity(),
    name: [{CN: [commonName]}],
    keys,
    signingAlgorithm: algorithm,
    extensions: [
      new BasicConstraintsExtension(true, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.digitalSignature, true),
    ],
  });
  return {certificate: `${certificate.toString('pem')}\n`, key: privatePem(keys.privateKey)};
}

/**
 * A certificate of `subject` signed by `authority`. The API server reads a client's user from the common name and its
 * groups from the organizations (Kubernetes, "Authenticating", X509 client certificates).
 */
export async function issueCertificate(
  authority: CertificatePair,
  subject: CertificateSubject,
): Promise<CertificatePair> {
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const issuer = new X509Certificate(authority.certificate);
  const signingKey = createPrivateKey(authority.key).toCryptoKey(algorithm, false, ['sign']);
  const certificate = await X509CertificateGenerator.create({
    ...validity(),
    subject: distinguishedName(subject),
    issuer: issuer.subjectName,
    publicKey: keys.publicKey,
    signingKey,
    signingAlgorithm: algorithm,
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension([
        subject.usage === 'client' ? ExtendedKeyUsage.clientAuth : ExtendedKeyUsage.serverAuth,
      ]),
      ...(subject.usage === 'server'
        ? [
            new SubjectAlternativeNameExtension([
              ...subject.names.map((value) => ({type: 'dns' as const, value})),
              ...subject.addresses.map((value) => ({type: 'ip' as const, value})),
            ]),
          ]
        : []),
    ],
  });
  return {certificate: `${certificate.toString('pem')}\n`, key: privatePem(keys.privateKey)};
}

/** The key pair that signs ServiceAccount tokens: RSA, as nearly every cluster has it (RS256). */
export async function createServiceAccountKeys(): Promise<{readonly publicKey: string; readonly privateKey: string}> {
  const {publicKey, privateKey} = await promisify(generateKeyPair)('rsa', {modulusLength: 2048});
  return {
    publicKey: publicKey.export({type: 'spki', format: 'pem'}).toString(),
    privateKey: privateKey.export({type: 'pkcs8', format: 'pem'}).toString(),
  };
}

/** A year, from an hour ago: clocks of a machine and of its containers differ. */
function validity(): {notBefore: Date; notAfter: Date; serialNumber: string} {
  const now = Date.now();
  return {
    notBefore: new Date(now - millisecondsPerDay / 24),
    notAfter: new Date(now + 365 * millisecondsPerDay),
    // A leading 1 keeps the serial number positive and without leading zeros (RFC 5280, 4.1.2.2).
    serialNumber: `1${randomBytes(15).toString('hex')}0`,
  };
}

/** Values are given as UTF8String: a bare string would be read as in RFC 4514, where quotes and `#` have a meaning. */
function distinguishedName(subject: CertificateSubject): Name {
  const commonName = subject.usage === 'client' ? subject.user : (subject.names[0] ?? 'server');
  const organizations = subject.usage === 'client' ? subject.groups : [];
  return new Name([...organizations.map((utf8String) => ({O: [{utf8String}]})), {CN: [{utf8String: commonName}]}]);
}

function privatePem(key: webcrypto.CryptoKey): string {
  return KeyObject.from(key).export({type: 'pkcs8', format: 'pem'}).toString();
}
