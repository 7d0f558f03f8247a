#!/usr/bin/env node
import {randomUUID} from 'node:crypto';
import {hostname} from 'node:os';
import winston from 'winston';
import {ConfigurationError, HelpShown, type OperatorConfiguration, parseConfiguration} from './configuration.ts';
import {systemClock} from './kube/clock.ts';
import {runOperator} from './run.ts';

/** Exit codes: 0 after a signal, 1 where the operator could not run, 2 where its flags could not be read. */
async function main(): Promise<number> {
  let configuration: OperatorConfiguration;
  try {
    configuration = parseConfiguration(process.argv.slice(2));
  } catch (error) {
    if (error instanceof HelpShown) return 0;
    if (!(error instanceof ConfigurationError)) throw error;
    process.stderr.write(`lockkeeper-operator: ${error.message}\n`);
    return 2;
  }
  const log = winston.createLogger({
    level: configuration.logLevel,
    format: winston.format.combine(winston.format.timestamp(), winston.format.json()),
    transports: [new winston.transports.Console()],
  });
  const stop = new AbortController();
  for (const name of ['SIGTERM', 'SIGINT'] as const) {
    process.once(name, () => {
      log.info('shutting down', {signal: name});
      stop.abort();
    });
  }
  try {
    await runOperator(configuration, {
      signal: stop.signal,
      log,
      clock: systemClock,
      random: Math.random,
      identity: `${hostname()}_${randomUUID()}`,
      environment: process.env,
    });
    return 0;
  } catch (error) {
    log.error('operator ended', {error: error instanceof Error ? error.message : String(error)});
    return 1;
  }
}

process.exitCode = await main();
