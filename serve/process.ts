import winston from 'winston';
import {ConfigurationError, HelpShown, type LogLevel} from './flags.ts';

/** What a server gets from the process that it runs in. */
export interface ProcessContext {
  readonly log: winston.Logger;
  /** Aborted when the process is asked to end. */
  readonly signal: AbortSignal;
}

/**
 * Runs a server as the process: flags, JSON logs on standard output, graceful end on SIGTERM and SIGINT.
 *
 * @returns the exit code: 0 after a signal, 1 where the server could not run, 2 where its flags could not be read
 */
export async function runProcess<T extends {readonly logLevel: LogLevel}>(
  name: string,
  parse: (args: readonly string[]) => T,
  run: (configuration: T, context: ProcessContext) => Promise<void>,
): Promise<number> {
  // The CEL library reads local time in its timestamp functions, whatever zone they name.
  process.env.TZ = 'UTC';
  let configuration: T;
  try {
    configuration = parse(process.argv.slice(2));
  } catch (error) {
    if (error instanceof HelpShown) return 0;
    if (!(error instanceof ConfigurationError)) throw error;
    process.stderr.write(`${name}: ${error.message}\n`);
    return 2;
  }
  const log = winston.createLogger({
    level: configuration.logLevel,
    format: winston.format.combine(winston.format.timestamp(), winston.format.json()),
    transports: [new winston.transports.Console()],
  });
  const stop = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.once(signal, () => {
      log.info('shutting down', {signal});
      stop.abort();
    });
  }
  try {
    await run(configuration, {log, signal: stop.signal});
    return 0;
  } catch (error) {
    log.error(`${name} ended`, {error: error instanceof Error ? error.message : String(error)});
    return 1;
  }
}
