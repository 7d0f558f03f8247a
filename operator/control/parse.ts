import type {
  AccessRequestPhase,
  Acknowledgement,
  Checkpoint,
  ConsumeRequest,
  OpenRequest,
} from '../../core/control/messages.ts';
import {flag, list, object, oneOf, type Reader, text, wholeNumber} from './reader.ts';

const sha256 = text(/^[0-9a-f]{64}$/, 'a sha256 as 64 lower-case hexadecimal digits');
const dnsLabel = text(
  /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/,
  'a namespace: a DNS label of lower-case letters, digits and "-"',
);
const dnsSubdomain = text(
  /^(?=.{1,253}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/,
  'an object name: a DNS subdomain of at most 253 characters',
);
const origin = text(/^[\x21-\x7e]{1,253}$/, '1 to 253 printable ASCII characters without spaces');
const auditID = text(/^[\x21-\x7e]{1,128}$/, '1 to 128 printable ASCII characters without spaces');
const shortText = 'at most 128 printable ASCII characters without spaces';
const nonEmpty = text(/[\s\S]/, 'a non-empty string');
const anyText = text();

/** A proxy's name for itself: it becomes part of object names and metric labels. */
export const readProxyID: Reader<string> = text(
  /^[A-Za-z0-9]([A-Za-z0-9._-]{0,126}[A-Za-z0-9])?$/,
  'a proxy ID: 1 to 128 letters, digits, ".", "_" or "-", the first and last a letter or digit',
);
export const readPhase: Reader<AccessRequestPhase> = oneOf(
  'Pending',
  'Approved',
  'Denied',
  'Expired',
  'Consumed',
  'Revoked',
);
export const readNamespace: Reader<string> = dnsLabel;
export const readName: Reader<string> = dnsSubdomain;

export const readAcknowledgement: Reader<Acknowledgement> = object(
  // A bundle that could not be read may have had neither revision nor hash; both are written into annotations.
  {
    proxy: readProxyID,
    revision: text(/^[\x21-\x7e]{0,128}$/, shortText),
    hash: text(/^[\x21-\x7e]{0,128}$/, shortText),
    result: oneOf('Applied', 'Rejected'),
  },
  {reason: anyText},
);

export const readConsumeRequest: Reader<ConsumeRequest> = object({
  digest: sha256,
  proxy: readProxyID,
  auditID,
});

export const readCheckpoint: Reader<Checkpoint> = object({
  origin,
  sequence: wholeNumber(0),
  hash: sha256,
});

/** The types are read here; bounds on length and count are the CRD's, and its message reaches the caller. */
export const readOpenRequest: Reader<OpenRequest> = object({
  namespace: text(/^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)?$/, 'a namespace, or empty where the operation targets none'),
  expireAfterSeconds: wholeNumber(1),
  spec: object(
    {
      agent: object({username: nonEmpty}, {uid: anyText, groups: list(anyText), issuer: anyText}),
      operation: object(
        {verb: nonEmpty},
        {
          apiGroup: anyText,
          apiVersion: anyText,
          resource: anyText,
          subresource: anyText,
          namespace: anyText,
          name: anyText,
          path: anyText,
          unmasked: flag,
        },
      ),
      request: object(
        {method: nonEmpty, path: nonEmpty},
        {
          query: anyText,
          contentType: anyText,
          bodySHA256: sha256,
          bodyPreview: anyText,
          command: list(anyText),
          container: anyText,
        },
      ),
      digest: sha256,
      policy: object(
        {namespace: dnsLabel, name: dnsSubdomain, rule: nonEmpty},
        {uid: anyText, generation: wholeNumber(0)},
      ),
      count: wholeNumber(1),
      grant: oneOf('Once', 'Window'),
    },
    {approvers: object({}, {groups: list(nonEmpty), users: list(nonEmpty)})},
  ),
});
