import {findBinaries, findKubectl} from '../cluster/binaries.ts';
import {kubernetesVersion} from '../cluster/build.ts';
import type {Call, Client, CommandLine} from './client.ts';
import {withoutGo} from './clientgo.ts';

const plain = ['HTTP'] as const;
const builds = {env: process.env, log: console.error};

/** Of the last minor that has no WebSocket for exec at all; 1.30 was the first to use it unasked. */
const olderVersion = 'v1.28.15';

export const kubectl: Client = {
  name: 'kubectl',
  version: minorOf(kubernetesVersion),
  setUp:
    'Nothing but the kubeconfig. `KUBECTL_REMOTE_COMMAND_WEBSOCKETS=false` and `KUBECTL_PORT_FORWARD_WEBSOCKETS=false` make it use SPDY.',
  does: everything(['WebSocket', 'SPDY']),
  install: async () => (await findBinaries(['kubectl'], builds)).kubectl,
  commandLine,
};

export const olderKubectl: Client = {
  name: 'Older kubectl',
  version: minorOf(olderVersion),
  setUp: 'Nothing but the kubeconfig. Releases before 1.30 use SPDY alone.',
  does: everything(['SPDY']),
  unavailable: withoutGo,
  install: () => findKubectl(olderVersion, builds),
  commandLine,
};

/** Other patch releases of the same minor do as well (`KUBEBUILDER_ASSETS`). */
function minorOf(version: string): string {
  return version.split('.').slice(0, 2).join('.').slice(1);
}

function everything(streams: readonly ['WebSocket', 'SPDY'] | readonly ['SPDY']): Client['does'] {
  const objects = {list: plain, watch: plain, create: plain, patch: plain, refusal: plain, logs: plain, follow: plain};
  return {...objects, exec: streams, input: streams, attach: streams, cp: streams, 'port-forward': streams};
}

const listed = '{range .items[*]}{.metadata.name} {.data.card}{"\\n"}{end}';
const watched = '{.type} {.object.metadata.name} {.object.data.card}{"\\n"}';

function commandLine(program: string, {access, ability, transport, args}: Call): CommandLine {
  const [name = '', second = '', ...rest] = args;
  const create = ['create', 'configmap', name, '--from-literal=made=yes'];
  const words: Readonly<Record<Call['ability'], readonly string[]>> = {
    list: ['get', 'configmaps', `--output=jsonpath=${listed}`],
    watch: ['get', 'configmaps', '--watch', '--output-watch-events', `--output=jsonpath=${watched}`],
    create,
    refusal: create,
    patch: ['patch', 'configmap', name, '--type=merge', '--patch={"data": {"patched": "yes"}}'],
    logs: ['logs', name, `--container=${second}`],
    follow: ['logs', '--follow', name, `--container=${second}`],
    exec: ['exec', name, `--container=${second}`, '--', ...rest],
    input: ['exec', '--stdin', name, `--container=${second}`, '--', ...rest],
    attach: ['attach', '--stdin', name, `--container=${second}`],
    cp: ['cp', name, second, ...rest],
    'port-forward': ['port-forward', `pod/${name}`, `:${second}`],
    // A library's.
    informers: [],
    'many informers': [],
  };
  const webSockets = String(transport === 'WebSocket');
  return {
    command: [program, `--namespace=${access.namespace}`, ...words[ability]],
    env: {KUBECTL_REMOTE_COMMAND_WEBSOCKETS: webSockets, KUBECTL_PORT_FORWARD_WEBSOCKETS: webSockets},
  };
}
