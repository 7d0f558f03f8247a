/**
 * Makes the pages of docs/reference/ that the programs themselves can tell; crds/generate.ts makes api.md.
 *
 *   node docs/generate.ts           writes them
 *   node docs/generate.ts --check   writes nothing, and exits with 1 where one is stale
 */
import {readFileSync} from 'node:fs';
import path from 'node:path';
import {lockkeeperCommand} from '../cli/main.ts';
import {operatorProgram} from '../operator/configuration.ts';
import {proxyProgram} from '../proxy/configuration.ts';
import {annotationsReference} from './annotations.ts';
import {flagsReference} from './flags.ts';
import {writeOrCheck} from './generated.ts';
import {metricsReference} from './metrics.ts';
import {refusalsReference} from './refusals.ts';

const source = (file: string) => readFileSync(path.resolve(import.meta.dirname, '..', file), 'utf8');

writeOrCheck(
  new Map([
    ['docs/reference/flags.md', flagsReference([proxyProgram('<hostname>'), operatorProgram(), lockkeeperCommand()])],
    ['docs/reference/metrics.md', await metricsReference()],
    ['docs/reference/audit-annotations.md', annotationsReference(source('core/audit/annotations.ts'))],
    ['docs/reference/refusals.md', refusalsReference(source('proxy/path/refusal.ts'))],
  ]),
);
