import {globSync, readdirSync, readFileSync, readlinkSync} from 'node:fs';

export interface NodeTraces {
  /** Command lines, those of the pods' containers among them. */
  readonly processes: readonly string[];
  readonly links: readonly string[];
  readonly cgroups: readonly string[];
}

/** Undefined for what ended or was removed since it was listed. */
function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

const text = (file: string): string => attempt(() => readFileSync(file, 'utf8')) ?? '';
const commandLine = (pid: string): string => text(`/proc/${pid}/cmdline`).replaceAll('\0', ' ');
const pidNamespace = (pid: string): string | undefined => attempt(() => readlinkSync(`/proc/${pid}/ns/pid`));

function processes(): string[] {
  return readdirSync('/proc').filter((entry) => /^\d+$/.test(entry));
}

/** With their index, which no other link ever has: a name may be another node's already. */
function links(): string[] {
  return readdirSync('/sys/class/net').map((name) => `${name} ${text(`/sys/class/net/${name}/ifindex`).trim()}`);
}

/** What a running node has on this machine; to be called again after its end, when it says what is left. */
export function nodeTraces(dataDirectory: string): () => NodeTraces {
  const disk = `${dataDirectory}/node`;
  const init = processes().find((pid) => {
    return commandLine(pid).includes(`${disk} `) && pidNamespace(pid) !== pidNamespace('self');
  });
  const cgroup = /cgroupRoot: \/(\S+)/.exec(text(`${disk}/etc/kubernetes/kubelet.yaml`))?.[1];
  if (init === undefined || cgroup === undefined) throw new Error(`No node is running in ${disk}.`);
  const namespace = pidNamespace(init);
  const name = `lockkeeper${text(`${disk}/run/network`).trim()}`;
  const link = links().find((entry) => entry.startsWith(`${name} `));
  const belongs = (pid: string): boolean =>
    pidNamespace(pid) === namespace ||
    commandLine(pid).includes(dataDirectory) ||
    text(`/proc/${pid}/cgroup`).includes(cgroup);
  return () => ({
    processes: processes().filter(belongs).map(commandLine),
    links: links().filter((entry) => entry === link),
    cgroups: globSync(`/sys/fs/cgroup/{${cgroup},*/${cgroup}}`),
  });
}

const directories = [
  '/etc/cni',
  '/opt/cni',
  '/run/containerd',
  '/run/netns',
  '/usr/libexec/kubernetes',
  '/var/lib/cni',
  '/var/lib/containerd',
  '/var/lib/kubelet',
  '/var/log/containers',
  '/var/log/pods',
];
const settings = [
  'kernel/keys/root_maxkeys',
  'kernel/panic',
  'kernel/panic_on_oops',
  'net/ipv4/ip_forward',
  'vm/overcommit_memory',
];

/** What kubelet, containerd and CNI plugins change on a machine that they have to themselves. */
export function machineState(): object {
  return {
    directories: directories.map((directory) => [directory, attempt(() => readdirSync(directory))]),
    settings: settings.map((name) => [name, text(`/proc/sys/${name}`)]),
    hosts: text('/etc/hosts'),
    mounts: text('/proc/self/mounts'),
    firewallTables: text('/proc/net/ip_tables_names'),
  };
}
