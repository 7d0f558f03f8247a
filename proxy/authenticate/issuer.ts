import {X509Certificate} from 'node:crypto';
import type {Issuer} from './configuration.ts';
import type {Fields} from './fields.ts';

const issuerFields = [
  'url',
  'discoveryURL',
  'certificateAuthority',
  'audiences',
  'audienceMatchPolicy',
  'egressSelectorType',
] as const;

/** Reads `issuer` by the rules of kube-apiserver's `validateIssuer`. */
export function readIssuer(authenticator: Fields): Issuer {
  const fields = authenticator.mapping('issuer', issuerFields);
  if (fields === undefined) {
    authenticator.problem('issuer', 'is required: its url and audiences');
    return {url: '', discoveryURL: undefined, certificateAuthority: undefined, audiences: []};
  }
  const url = fields.requiredText('url', 'https://issuer.example.com');
  checkURL(fields, 'url', url);
  const discoveryURL = fields.text('discoveryURL') || undefined;
  if (discoveryURL !== undefined) {
    checkURL(fields, 'discoveryURL', discoveryURL);
    if (withoutSlash(discoveryURL) === withoutSlash(url))
      fields.problem('discoveryURL', 'must be another URL than url');
  }
  if (fields.has('egressSelectorType')) fields.problem('egressSelectorType', 'is not supported; leave it out');
  return {url, discoveryURL, certificateAuthority: readCertificateAuthority(fields), audiences: readAudiences(fields)};
}

function checkURL(fields: Fields, name: string, text: string): void {
  if (text === '') return;
  const url = URL.parse(text);
  if (url === null) {
    fields.problem(name, `must be a URL such as https://issuer.example.com, not ${text}`);
    return;
  }
  if (url.protocol !== 'https:') fields.problem(name, `must begin with https://, not ${url.protocol}`);
  if (url.username !== '' || url.password !== '') fields.problem(name, 'must not hold a username or password');
  if (text.includes('?')) fields.problem(name, 'must not have a query');
  if (text.includes('#')) fields.problem(name, 'must not have a fragment');
}

function readAudiences(fields: Fields): readonly string[] {
  const audiences: string[] = [];
  fields.list('audiences').forEach((audience, index) => {
    const name = `audiences[${index}]`;
    if (typeof audience !== 'string' || audience === '') fields.problem(name, 'must be a text that is not empty');
    else if (audiences.includes(audience)) fields.problem(name, `${audience} is there twice`);
    else audiences.push(audience);
  });
  if (fields.list('audiences').length === 0) fields.problem('audiences', 'must list at least one audience');
  const policy = fields.text('audienceMatchPolicy') ?? '';
  if (policy !== '' && policy !== 'MatchAny') fields.problem('audienceMatchPolicy', `must be MatchAny, not ${policy}`);
  if (policy === '' && audiences.length > 1) {
    fields.problem('audienceMatchPolicy', 'must be MatchAny where there are several audiences');
  }
  return audiences;
}

function readCertificateAuthority(fields: Fields): string | undefined {
  const pem = fields.text('certificateAuthority') || undefined;
  if (pem === undefined) return undefined;
  const certificates = pem.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? [];
  try {
    for (const certificate of certificates) new X509Certificate(certificate);
  } catch {
    fields.problem('certificateAuthority', 'holds a certificate that cannot be read');
  }
  if (certificates.length === 0) {
    fields.problem('certificateAuthority', 'must hold PEM certificates (the certificates themselves, not a file name)');
  }
  return pem;
}

function withoutSlash(url: string): string {
  return url.replace(/\/+$/, '');
}
