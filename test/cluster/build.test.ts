import {mkdir, mkdtemp, readdir, readFile, rm, writeFile} from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import {afterEach, beforeEach, expect, test} from '@jest/globals';
import {type BinaryName, findBinaries, findKubectl} from './binaries.ts';
import {kubernetesGoMod} from './build.ts';

let directory: string;
let env: NodeJS.ProcessEnv;
let lines: string[];

/** A `go` that writes down what it is asked to do, and builds an empty file. */
const fakeGo = `#!/bin/sh
echo "$@" >> "$CALLS"
case "$1 $2" in
  "mod download") echo "{\\"GoMod\\": \\"$MODULE\\"}" ;;
  build*)
    if [ -n "$FAILS" ]; then echo "go: no space left on device" >&2; exit 1; fi
    while [ "$1" != -o ]; do shift; done
    output=$2
    if [ -d "$output" ]; then output=$output/main; fi # as Go does
    printf '#!/bin/sh\\n' > "$output"; chmod 755 "$output" ;;
esac
`;

beforeEach(async () => {
  directory = await mkdtemp(path.join(os.tmpdir(), 'lockkeeper-test-'));
  lines = [];
  env = {
    PATH: `${directory}/bin:/usr/bin:/bin`,
    XDG_CACHE_HOME: path.join(directory, 'cache'),
    CALLS: path.join(directory, 'calls'),
    MODULE: path.join(directory, 'go.mod'),
  };
  await mkdir(`${directory}/bin`);
  await writeFile(`${directory}/bin/go`, fakeGo, {mode: 0o755});
  await writeFile(`${directory}/go.mod`, 'go 1.26.0\nreplace k8s.io/api => ./staging/src/k8s.io/api\n');
});

afterEach(() => rm(directory, {recursive: true, force: true}));

const cache = (): string => path.join(directory, 'cache/lockkeeper/kubernetes');
const find = (...names: BinaryName[]): Promise<unknown> => findBinaries(names, {env, log: (line) => lines.push(line)});
const builds = async (): Promise<string[]> =>
  (await readFile(`${directory}/calls`, 'utf8')).split('\n').filter((call) => call.startsWith('build '));

test('two that need the same binaries at once build each of them once, and leave the binaries alone', async () => {
  const names = ['etcd', 'kube-apiserver', 'kubectl'] as const;
  const [one, other] = await Promise.all([find(...names), find(...names)]);
  expect(one).toEqual(other);
  expect((await builds()).map((call) => call.split(' ').at(-1))).toEqual([
    'go.etcd.io/etcd/server/v3',
    'k8s.io/kubernetes/cmd/kube-apiserver',
    'k8s.io/kubernetes/cmd/kubectl',
  ]);
  expect(await readdir(cache())).toEqual(['v1.36.3']);
  const built = await readdir(path.join(cache(), 'v1.36.3'), {withFileTypes: true});
  expect(built.filter((entry) => entry.isFile()).map((entry) => entry.name)).toEqual([...names]);
});

test('what is in the cache is not built again, what is missing is', async () => {
  await find('etcd', 'kubectl');
  await find('etcd', 'kubectl', 'kube-controller-manager');
  expect(await builds()).toHaveLength(3);
});

test('the version is stamped in, so that clients judge the server rightly', async () => {
  await find('kube-apiserver');
  const [build] = await builds();
  expect(build).toContain('-X k8s.io/component-base/version.gitVersion=v1.36.3');
  expect(build).toContain('-X k8s.io/component-base/version.gitMinor=36');
});

test('an older kubectl is kept apart, and says itself which it is', async () => {
  const kubectl = await findKubectl('v1.28.15', {env, log: (line) => lines.push(line)});
  expect(kubectl).toBe(path.join(cache(), 'v1.28.15/kubectl'));
  const [build] = await builds();
  expect(build).toContain('version.gitVersion=v1.28.15 -X k8s.io/component-base/version.gitMajor=1');
  expect(await readFile(env.CALLS as string, 'utf8')).toContain('k8s.io/kubernetes@v1.28.15');
});

test('a failed build gives the last words of Go and leaves neither half a binary nor a lock', async () => {
  env.FAILS = 'yes';
  const found = find('etcd');
  await expect(found).rejects.toMatchObject({code: 'BuildFailed'});
  await expect(found).rejects.toThrow('Building etcd with Go failed: go: no space left on device');
  expect(await readdir(cache())).toEqual(['v1.36.3']);
  expect(await readdir(path.join(cache(), 'v1.36.3'))).toEqual([]);
});

test('what a killed build left behind is removed by the next', async () => {
  await mkdir(path.join(cache(), 'v1.36.3/.build-x1y2z3'), {recursive: true});
  await find('etcd');
  expect(await readdir(path.join(cache(), 'v1.36.3'))).toEqual(['etcd']);
});

test('the go.mod replaces every staging module by its published version', () => {
  const goMod = [
    'module k8s.io/kubernetes',
    'go 1.26.0',
    'require (',
    '\tk8s.io/api v0.0.0',
    '\tk8s.io/klog/v2 v2.140.0',
    ')',
    'replace (',
    '\tk8s.io/api => ./staging/src/k8s.io/api',
    '\tk8s.io/client-go => ./staging/src/k8s.io/client-go',
    ')',
  ].join('\n');
  expect(kubernetesGoMod(goMod)).toBe(
    [
      'module lockkeeper.dev/cluster',
      'go 1.26.0',
      'require k8s.io/kubernetes v1.36.3',
      'replace k8s.io/api => k8s.io/api v0.36.3',
      'replace k8s.io/client-go => k8s.io/client-go v0.36.3',
      '',
    ].join('\n'),
  );
});

test('a go.mod without staging modules is an error, not a build that fails obscurely', () => {
  expect(() => kubernetesGoMod('module k8s.io/kubernetes\ngo 1.26.0\n')).toThrow('names no staging module');
});
