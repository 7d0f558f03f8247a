#!/usr/bin/env node
import {hostname} from 'node:os';
import {runProcess} from '../serve/process.ts';
import {parseConfiguration} from './configuration.ts';
import {runProxy} from './run.ts';

process.exitCode = await runProcess('lockkeeper-proxy', (args) => parseConfiguration(args, hostname()), runProxy);
