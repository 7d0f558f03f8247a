/**
 * Compiles assembly.ts and writes it into module.ts.
 *
 *   node core/mask/scan/generate.ts           writes it
 *   node core/mask/scan/generate.ts --check   writes nothing, and exits with 1 where it is stale
 */
import {execFileSync} from 'node:child_process';
import {mkdtempSync, readFileSync, rmSync} from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import {writeOrCheck} from '../../../docs/generated.ts';

const root = path.resolve(import.meta.dirname, '../../..');
const compiler = path.join(root, 'node_modules/assemblyscript/bin/asc.js');
const directory = mkdtempSync(path.join(os.tmpdir(), 'lockkeeper-scan-'));
let base64: string;
try {
  const output = path.join(directory, 'module.wasm');
  const features = ['--runtime', 'stub', '--noAssert', '--enable', 'simd,relaxed-simd', '--initialMemory', '6'];
  const flags = [path.join(import.meta.dirname, 'assembly.ts'), '-O3', ...features, '--outFile', output];
  execFileSync(process.execPath, [compiler, ...flags], {cwd: directory, stdio: ['ignore', 'inherit', 'inherit']});
  base64 = readFileSync(output, 'base64');
} finally {
  rmSync(directory, {recursive: true});
}
const lines = base64.match(/.{1,110}/g) ?? [];
const text = `// Made from assembly.ts by generate.ts: npm run generate

/** WebAssembly in base64. */
export const moduleBase64 = [
${lines.map((line) => `  '${line}',`).join('\n')}
].join('');
`;
writeOrCheck(new Map([['core/mask/scan/module.ts', text]]));
