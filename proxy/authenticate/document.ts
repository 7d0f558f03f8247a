import {Agent, fetch} from 'undici';

/** Larger than any key set, small enough to hold. */
const maximumBytes = 1024 * 1024;

/**
 * Gets a JSON document from an issuer.
 *
 * @param certificateAuthority PEM; the system's authorities where undefined
 */
export type FetchDocument = (
  url: string,
  certificateAuthority: string | undefined,
  signal: AbortSignal,
) => Promise<unknown>;

/** {@link FetchDocument} over the network. Keys are fetched every few minutes, so a connection is made each time. */
export const fetchDocument: FetchDocument = async (url, certificateAuthority, signal) => {
  const dispatcher = new Agent(certificateAuthority === undefined ? {} : {connect: {ca: certificateAuthority}});
  try {
    const response = await fetch(url, {dispatcher, signal, redirect: 'error', headers: {accept: 'application/json'}});
    if (response.status !== 200) throw new Error(`${url} answered ${response.status}`);
    return JSON.parse(await readText(response.body ?? [], url)) as unknown;
  } finally {
    await dispatcher.destroy();
  }
};

async function readText(chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>, url: string): Promise<string> {
  const read: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of chunks) {
    bytes += chunk.length;
    if (bytes > maximumBytes) throw new Error(`${url} answered with more than ${maximumBytes} bytes`);
    read.push(chunk);
  }
  return Buffer.concat(read).toString('utf8');
}
