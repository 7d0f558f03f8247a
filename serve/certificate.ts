import {createPrivateKey, X509Certificate} from 'node:crypto';
import {readFile} from 'node:fs/promises';
import {createSecureContext} from 'node:tls';
import type {Logger} from 'winston';

export interface CertificateFiles {
  /** PEM: the certificate and its chain. */
  readonly certificateFile: string;
  /** PEM. */
  readonly keyFile: string;
}

/** A certificate and its key that belong together. */
export interface CertificatePair {
  readonly cert: string;
  readonly key: string;
}

/** The certificate cannot be served with; the message says what is wrong with it. */
export class CertificateError extends Error {
  override readonly name = 'CertificateError';
  readonly code = 'Certificate';
}

/** Reads both files; throws a CertificateError where they cannot be read or do not belong together. */
export async function readCertificate({certificateFile, keyFile}: CertificateFiles): Promise<CertificatePair> {
  try {
    const [cert, key] = await Promise.all([readFile(certificateFile, 'utf8'), readFile(keyFile, 'utf8')]);
    createSecureContext({cert, key});
    // A context takes empty files, as they are while somebody writes them, and then no handshake succeeds.
    new X509Certificate(cert).checkPrivateKey(createPrivateKey(key));
    return {cert, key};
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    const message = `The certificate ${certificateFile} with the key ${keyFile} cannot be used: ${why}`;
    throw new CertificateError(message, {cause});
  }
}

/**
 * Compares the files with what is served and gives the new pair where they differ. A pair that cannot be used, as while
 * one file of the two is replaced, is logged and what is served stays. Reading is surer than watching: a mounted Secret
 * changes by a symbolic link two levels up.
 */
export async function changedCertificate(
  files: CertificateFiles,
  served: CertificatePair,
  log: Logger,
): Promise<CertificatePair | undefined> {
  try {
    const read = await readCertificate(files);
    return read.cert === served.cert && read.key === served.key ? undefined : read;
  } catch (error) {
    log.warn('certificate not reloaded', {reason: error instanceof Error ? error.message : String(error)});
    return undefined;
  }
}
