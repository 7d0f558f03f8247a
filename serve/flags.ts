import {type Command, CommanderError, InvalidArgumentError} from 'commander';

/** An address to listen at; port 0 for any free one, without a host every address of the machine. */
export interface ListenAddress {
  readonly host: string | undefined;
  readonly port: number;
}

/** A flag is missing or cannot be read; the message is one sentence that names it. */
export class ConfigurationError extends Error {
  override readonly name = 'ConfigurationError';
  readonly code = 'Configuration';
}

/** The user asked for help, which was printed; nothing is to be run. */
export class HelpShown extends Error {
  override readonly name = 'HelpShown';
  readonly code = 'HelpShown';
}

/**
 * Reads a command line into the program's options.
 *
 * @param args without the interpreter and the script
 * @throws ConfigurationError, HelpShown
 */
export function parseFlags<T extends object>(args: readonly string[], program: Command): T {
  program
    .allowExcessArguments(false)
    .showHelpAfterError(false)
    .exitOverride()
    .configureOutput({...program.configureOutput(), outputError: () => undefined});
  try {
    program.parse(args, {from: 'user'});
  } catch (cause) {
    if (!(cause instanceof CommanderError)) throw cause;
    if (cause.exitCode === 0) throw new HelpShown(cause.message, {cause});
    throw new ConfigurationError(cause.message.replace(/^error: /, ''), {cause});
  }
  return program.opts<T>();
}

/** `host:port`, `[IPv6]:port`, or `:port`. */
export function parseListenAddress(text: string): ListenAddress {
  const match = /^(?:\[([0-9a-fA-F:.]+(?:%[\w.-]+)?)\]|([^:[\]]*)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  if (!match || port > 65535) throw new InvalidArgumentError('Want host:port, such as 127.0.0.1:9443 or [::1]:9443.');
  return {host: match[1] ?? (match[2] || undefined), port};
}

/** An address cannot be listened at; the message names its flag. */
export class ListenError extends Error {
  override readonly name = 'ListenError';
  readonly code = 'Listen';
}

/** Listens, and says which flag to mend where that fails. */
export async function listening<T>(
  flag: string,
  address: ListenAddress,
  listen: (address: ListenAddress) => Promise<T>,
): Promise<T> {
  try {
    return await listen(address);
  } catch (cause) {
    const where = `${address.host ?? ''}:${address.port}`;
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new ListenError(`${flag} ${where} cannot be listened at: ${why}`, {cause});
  }
}

export const logLevels = ['error', 'warn', 'info', 'debug'] as const;
export type LogLevel = (typeof logLevels)[number];
