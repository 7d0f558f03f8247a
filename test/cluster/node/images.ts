import {execFile} from 'node:child_process';
import {createHash} from 'node:crypto';
import {copyFile, mkdir, mkdtemp, readFile, rm, symlink, writeFile} from 'node:fs/promises';
import path from 'node:path';
import {promisify} from 'node:util';
import {pauseImage} from './configuration.ts';

const run = promisify(execFile);

/** The shell and all its tools in one file that needs no library (Debian's busybox-static). */
export const busyboxPath = '/bin/busybox';
export const busyboxImage = 'lockkeeper.dev/busybox:local';

export interface ImageConfiguration {
  readonly Entrypoint?: readonly string[];
  readonly Cmd?: readonly string[];
  readonly Env?: readonly string[];
  readonly User?: string;
}

/**
 * Writes the archive of an image whose one layer is the directory `root`, in the form that `docker save` has and
 * `ctr images import` reads.
 */
export async function writeImageArchive(
  name: string,
  root: string,
  configuration: ImageConfiguration,
  archive: string,
): Promise<void> {
  const work = await mkdtemp(`${archive}-`);
  try {
    const layer = path.join(work, 'layer.tar');
    await tar(layer, root);
    const hash = createHash('sha256').update(await readFile(layer));
    const config = {
      architecture: {x64: 'amd64', arm64: 'arm64'}[process.arch as string] ?? process.arch,
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
  await run('tar', [
    '--create',
    '--numeric-owner',
    '--owner=0',
    '--group=0',
    '--file',
    file,
    '--directory',
    directory,
    '.',
  ]);
}

/** Writes the archives of the images that every node has: busybox, and the one that holds a pod's namespaces. */
export async function writeBaseImages(directory: string): Promise<void> {
  await mkdir(directory, {recursive: true});
  const root = path.join(directory, 'busybox');
  await makeBusyboxRoot(root);
  await writeImageArchive(busyboxImage, root, {Cmd: ['sh']}, path.join(directory, 'busybox.tar'));
  const pause = {Entrypoint: ['/bin/sleep', '2147483647']};
  await writeImageArchive(pauseImage, root, pause, path.join(directory, 'pause.tar'));
}

/** A root file system with busybox alone, under every name that it answers to. */
export async function makeBusyboxRoot(root: string): Promise<void> {
  for (const directory of ['bin', 'etc', 'root', 'tmp']) await mkdir(path.join(root, directory), {recursive: true});
  await copyFile(busyboxPath, path.join(root, 'bin/busybox'));
  const {stdout} = await run(busyboxPath, ['--list']);
  const names = stdout.split('\n').filter((name) => name !== '' && name !== 'busybox');
  await Promise.all(names.map((name) => symlink('busybox', path.join(root, 'bin', name))));
  await writeFile(
    path.join(root, 'etc/passwd'),
    'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n',
  );
  await writeFile(path.join(root, 'etc/group'), 'root:x:0:\nnogroup:x:65534:\n');
}
