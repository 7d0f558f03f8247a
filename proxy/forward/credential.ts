import {readFile} from 'node:fs/promises';

/** How often a token file is looked at. The kubelet rotates a projected token when 80% of its life has passed. */
const rereadMilliseconds = 10_000;

/** The `Authorization` value of the proxy itself; undefined where a client certificate speaks for it. */
export interface Credential {
  readonly authorization: string | undefined;
  close(): void;
}

export const noBearerToken: Credential = {authorization: undefined, close: () => {}};

/**
 * A bearer token from a file that is read again when it rotates. The first read failing throws; a later one keeps the
 * token that was good and reports through `onError`.
 */
export async function tokenFile(path: string, onError: (error: unknown) => void): Promise<Credential> {
  let authorization = await read(path);
  const timer = setInterval(() => {
    read(path).then((value) => {
      authorization = value;
    }, onError);
  }, rereadMilliseconds);
  timer.unref();
  return {
    get authorization() {
      return authorization;
    },
    close: () => clearInterval(timer),
  };
}

async function read(path: string): Promise<string> {
  const token = (await readFile(path, 'utf8')).trim();
  if (token === '') throw new Error(`token file ${path} is empty; it must hold one bearer token`);
  return `Bearer ${token}`;
}
