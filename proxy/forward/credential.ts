import {readFile} from 'node:fs/promises';

/** The proxy's own, as the API server knows it. */
export interface Credential {
  /** Value of the `Authorization` header. */
  readonly authorization: string;
  close(): void;
}

/**
 * A bearer token from a file that is read again when it rotates. The first read failing throws; a later one keeps the
 * token that was good and reports through `onError`.
 *
 * @param path the kubelet rotates a projected token when 80% of its life has passed
 */
export async function tokenFile(
  path: string,
  {rereadMilliseconds, onError}: {readonly rereadMilliseconds: number; readonly onError: (error: unknown) => void},
): Promise<Credential> {
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
