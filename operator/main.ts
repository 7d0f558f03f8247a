#!/usr/bin/env node
import {randomUUID} from 'node:crypto';
import {hostname} from 'node:os';
import {runProcess} from '../serve/process.ts';
import {parseConfiguration} from './configuration.ts';
import {systemClock} from './kube/clock.ts';
import {runOperator} from './run.ts';

process.exitCode = await runProcess('lockkeeper-operator', parseConfiguration, (configuration, context) =>
  runOperator(configuration, {
    ...context,
    clock: systemClock,
    random: Math.random,
    identity: `${hostname()}_${randomUUID()}`,
    environment: process.env,
  }),
);
