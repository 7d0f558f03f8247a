import {execFile} from 'node:child_process';
import {createHash} from 'node:crypto';
import {createReadStream} from 'node:fs';
import {copyFile, mkdir, mkdtemp, rm, symlink, writeFile} from 'node:fs/promises';
import path from 'node:path';
import {pipeline} from 'node:stream/promises';
import {promisify} from 'node:util';
import type {Cluster} from '../cluster.ts';
import {nodeDisk, pauseImage} from './configuration.ts';
import {findTool} from './tools.ts';

const run = promisify(execFile);

/** The image that every node has besides the one of its sandboxes: a shell and the tools of busybox. */
export const busyboxImage = 'lockkeeper.dev/busybox:local';

/** `config` of the OCI image specification. */
export interface ImageConfiguration {
  readonly Entrypoint?: readonly string[];
  readonly Cmd?: readonly string[];
  readonly Env?: readonly string[];
  readonly User?: string;
}

/**
 * Writes the archive of an image whose one layer is the directory `root`, in the form of `docker save`, which containerd
 * imports. Every file belongs to root in it.
 */
export async function writeImageArchive(
  archive: string,
  name: string,
  root: string,
  configuration: ImageConfiguration,
): Promise<void> {
  const work = await mkdtemp(`${archive}-`);
  try {
    const layer = path.join(work, 'layer.tar');
    await tar(layer, root);
    const hash = createHash('sha256');
    await pipeline(createReadStream(layer), hash);
    const config = {
      architecture: {x64: 'amd64'}[process.arch as string] ?? process.arch,
      os: 'linux',
      config: configuration,
      rootfs: {type: 'layers', diff_ids: [`sha256:${hash.digest('hex')}`]},
    };
    await writeFile(path.join(work, 'config.json'), JSON.stringify(config));
    const manifest = [{Config: 'config.json', RepoTags: [name], Layers: ['layer.tar']}];
    await writeFile(path.join(work, 'manifest.json'), JSON.stringify(manifest));
    await tar(archive, work);
  } finally {
    await rm(work, {recursive: true, force: true});
  }
}

async function tar(file: string, directory: string): Promise<void> {
  const owner = ['--numeric-owner', '--owner=0', '--group=0'];
  await run('tar', ['--create', ...owner, `--file=${file}`, `--directory=${directory}`, '.']);
}

/** Writes the archives of the images that every node has, each as `<directory>/<name>.tar`. */
export async function writeBaseImages(directory: string): Promise<void> {
  const root = path.join(directory, 'busybox');
  await makeBusyboxRoot(root);
  await writeImageArchive(path.join(directory, 'busybox.tar'), busyboxImage, root, {Cmd: ['sh']});
  const pause = {Entrypoint: ['/bin/sleep', '2147483647']};
  await writeImageArchive(path.join(directory, 'pause.tar'), pauseImage, root, pause);
}

/** A root file system with busybox alone, under every name that it answers to. */
export async function makeBusyboxRoot(root: string): Promise<void> {
  for (const directory of ['bin', 'etc', 'root', 'tmp']) await mkdir(path.join(root, directory), {recursive: true});
  const busybox = path.join(root, 'bin/busybox');
  await copyFile(await findTool('busybox'), busybox);
  const {stdout} = await run(busybox, ['--list']);
  const names = stdout.split('\n').filter((name) => name !== '' && name !== 'busybox');
  await Promise.all(names.map((name) => symlink('busybox', path.join(root, 'bin', name))));
  await writeFile(path.join(root, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:\n');
  await writeFile(path.join(root, 'etc/group'), 'root:x:0:\nnogroup:x:65534:\n');
}

/** A busybox root with the Node.js that runs this, as `/usr/local/bin/node`, and the libraries that it is linked to. */
export async function makeNodeRoot(root: string): Promise<void> {
  await makeBusyboxRoot(root);
  await copyInto(root, process.execPath, '/usr/local/bin/node');
  const {stdout} = await run('ldd', [process.execPath]);
  for (const [, library] of stdout.matchAll(/(\/\S+) \(0x/g)) await copyInto(root, library as string);
}

async function copyInto(root: string, file: string, as = file): Promise<void> {
  const target = path.join(root, as);
  await mkdir(path.dirname(target), {recursive: true});
  await copyFile(file, target);
}

/** Puts an image on the node of a cluster, from an archive of `writeImageArchive`. */
export async function importImage(cluster: Cluster, archive: string): Promise<void> {
  // Relative, because a socket's path is bounded at about 100 bytes.
  const address = '--address=run/containerd/containerd.sock';
  const imported = ['--namespace=k8s.io', 'images', 'import', path.resolve(archive)];
  await run(await findTool('ctr'), [address, ...imported], {cwd: nodeDisk(cluster.dataDirectory)});
}
