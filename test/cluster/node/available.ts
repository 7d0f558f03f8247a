import {execFile} from 'node:child_process';
import path from 'node:path';
import {promisify} from 'node:util';
import {isExecutableFile} from '../binaries.ts';
import {cniDirectory} from './configuration.ts';
import {findTool} from './tools.ts';

const run = promisify(execFile);

/** What a node is made of besides Kubernetes itself, by the Debian package that has it. */
const packages: Readonly<Record<string, () => Promise<boolean>>> = {
  containerd: () => hasTools('containerd', 'ctr', 'containerd-shim-runc-v2'),
  runc: () => hasTools('runc'),
  'containernetworking-plugins': () => isExecutableFile(path.join(cniDirectory, 'bridge')),
  'busybox-static': hasStaticBusybox,
  iproute2: () => hasTools('ip'),
  'util-linux': () => hasTools('unshare', 'nsenter', 'pivot_root'),
};

/** Why this machine cannot run a node, in one sentence for a person, or undefined where it can. */
export async function nodeUnavailable(): Promise<string | undefined> {
  if (process.platform !== 'linux') return `A node needs Linux, this is ${process.platform}.`;
  const missing: string[] = [];
  for (const [name, isInstalled] of Object.entries(packages)) {
    if (!(await isInstalled())) missing.push(name);
  }
  if (missing.length > 0) {
    const install = `apt-get install --no-install-recommends ${missing.join(' ')}`;
    return `A node needs ${missing.join(', ')}: on Debian, \`${install}\` as root.`;
  }
  if (process.getuid?.() !== 0) return 'A node needs root.';
  return withoutNamespaces();
}

async function hasTools(...names: readonly string[]): Promise<boolean> {
  const found = await Promise.allSettled(names.map(findTool));
  return found.every(({status}) => status === 'fulfilled');
}

/** Debian's package `busybox` is linked to libraries that an image would need too. */
async function hasStaticBusybox(): Promise<boolean> {
  try {
    const {stdout} = await run('ldd', [await findTool('busybox')], {env: {...process.env, LC_ALL: 'C'}});
    return stdout.includes('not a dynamic');
  } catch (error) {
    return ((error as {stderr?: string}).stderr ?? '').includes('not a dynamic');
  }
}

/** Root in a container may have no right to what init.sh does. */
async function withoutNamespaces(): Promise<string | undefined> {
  try {
    await run('unshare', ['--net', '--mount', '--pid', '--fork', 'mount', '-t', 'tmpfs', 'tmpfs', '/tmp']);
    return undefined;
  } catch (error) {
    const {stderr} = error as {stderr?: string};
    return `A node needs namespaces, to which root has no right here (${stderr?.trim() || error}).`;
  }
}
