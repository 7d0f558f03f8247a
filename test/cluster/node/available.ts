import {execFile} from 'node:child_process';
import {access, constants} from 'node:fs/promises';
import {promisify} from 'node:util';
import {busyboxPath} from './images.ts';

const packages: readonly {readonly name: string; readonly file: string}[] = [
  {name: 'containerd', file: '/usr/bin/containerd'},
  {name: 'runc', file: '/usr/sbin/runc'},
  {name: 'containernetworking-plugins', file: '/usr/lib/cni/bridge'},
  {name: 'busybox-static', file: busyboxPath},
  {name: 'iproute2', file: '/sbin/ip'},
  {name: 'util-linux', file: '/usr/bin/unshare'},
];

/** Why this machine cannot run a node, in one sentence for a person, or undefined where it can. */
export async function nodeUnavailable(): Promise<string | undefined> {
  if (process.platform !== 'linux') return `A node needs Linux, this is ${process.platform}.`;
  const missing: string[] = [];
  for (const {name, file} of packages) {
    const found = await access(file, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (!found || (name === 'busybox-static' && !(await isStatic(file)))) missing.push(name);
  }
  if (missing.length > 0) {
    const install = `apt-get install --no-install-recommends ${missing.join(' ')}`;
    return `A node needs ${missing.join(', ')}: on Debian, \`${install}\` as root.`;
  }
  if (process.getuid?.() !== 0) return 'A node needs root.';
  return mayUnshare();
}

async function isStatic(file: string): Promise<boolean> {
  return promisify(execFile)('ldd', [file]).then(
    () => false,
    () => true,
  );
}

/** Root in a container may lack the rights. */
async function mayUnshare(): Promise<string | undefined> {
  try {
    await promisify(execFile)('unshare', [
      '--net',
      '--mount',
      '--pid',
      '--fork',
      'mount',
      '-t',
      'tmpfs',
      'tmpfs',
      '/mnt',
    ]);
    return undefined;
  } catch (error) {
    const {stderr} = error as {stderr?: string};
    return `A node needs namespaces, and root has no right to them here: ${stderr?.trim() || error}.`;
  }
}
