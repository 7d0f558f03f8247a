import {createHash} from 'node:crypto';
import {mkdir, readFile, rename, writeFile} from 'node:fs/promises';
import {homedir} from 'node:os';
import path from 'node:path';
import {requestToken, type Token, type TokenOptions} from './request.ts';

/** A token is asked for anew when it has less than this to live: kubectl calls may take a while. */
const renewBeforeSeconds = 60;

/**
 * kubectl runs the plugin anew for each command, so a token that is still good is kept in a file of the user's own.
 *
 * @param now milliseconds since the epoch
 * @throws {TokenError}
 */
export async function currentToken(options: TokenOptions, now: number): Promise<Token> {
  const file = tokenFile(options);
  const kept = await readToken(file);
  if (kept !== undefined && kept.expiresAtMilliseconds - now > renewBeforeSeconds * 1000) return kept;
  const token = await requestToken(options);
  // Containers often have a file system that cannot be written; the token is as good without its file.
  await writeToken(file, token).catch(() => {});
  return token;
}

function tokenFile({issuerUrl, clientId, resource, scope}: TokenOptions): string {
  const key = createHash('sha256')
    .update(JSON.stringify([issuerUrl, clientId, resource, scope]))
    .digest('hex');
  // The XDG Base Directory Specification wants relative paths ignored, and so the empty one.
  const {XDG_CACHE_HOME: configured = ''} = process.env;
  const directory = path.isAbsolute(configured) ? configured : path.join(homedir(), '.cache');
  return path.join(directory, 'lockkeeper', 'tokens', `${key}.json`);
}

async function writeToken(file: string, token: Token): Promise<void> {
  await mkdir(path.dirname(file), {recursive: true, mode: 0o700});
  const temporary = `${file}.${process.pid}`;
  await writeFile(temporary, JSON.stringify(token), {mode: 0o600});
  await rename(temporary, file);
}

async function readToken(file: string): Promise<Token | undefined> {
  try {
    const value = JSON.parse(await readFile(file, 'utf8')) as Partial<Token>;
    if (typeof value.token === 'string' && typeof value.expiresAtMilliseconds === 'number') return value as Token;
  } catch {
    // Absent or damaged: a new token takes its place.
  }
  return undefined;
}
