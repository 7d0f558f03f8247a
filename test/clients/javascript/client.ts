/**
 * A program of the JavaScript client as an agent could be: every command does one thing with the cluster of $KUBECONFIG,
 * in the namespace of the first argument, and prints what it was given.
 */
import net from 'node:net';
import {
  Attach,
  CoreV1Api,
  Exec,
  KubeConfig,
  Log,
  makeInformer,
  PatchStrategy,
  PortForward,
  setHeaderOptions,
  type V1ConfigMap,
  type V1Status,
  Watch,
} from '@kubernetes/client-node';

const config = new KubeConfig();
config.loadFromDefault();
const core = config.makeApiClient(CoreV1Api);
const {stdin, stdout, stderr} = process;

function say(...words: readonly unknown[]): void {
  stdout.write(`${words.join(' ')}\n`);
}

async function list(namespace: string): Promise<void> {
  const {items} = await core.listNamespacedConfigMap({namespace});
  for (const {metadata, data} of items) say(metadata?.name, data?.card);
}

async function watch(namespace: string): Promise<void> {
  const path = `/api/v1/namespaces/${namespace}/configmaps`;
  await new Watch(config).watch(
    path,
    {},
    (type: string, {metadata, data}: V1ConfigMap) => say(type, metadata?.name, data?.card),
    end,
  );
}

async function informer(namespace: string): Promise<void> {
  const path = `/api/v1/namespaces/${namespace}/configmaps`;
  const informing = makeInformer(config, path, () => core.listNamespacedConfigMap({namespace}));
  informing.on('add', ({metadata, data}) => say('ADDED', metadata?.name, data?.card));
  informing.on('update', ({metadata, data}) => say('MODIFIED', metadata?.name, data?.card));
  informing.on('delete', ({metadata, data}) => say('DELETED', metadata?.name, data?.card));
  // As its documentation has it: who informs starts again after an error.
  informing.on('error', () => setTimeout(() => void informing.start(), 500));
  await informing.start();
}

async function create(namespace: string, name: string): Promise<void> {
  await core.createNamespacedConfigMap({namespace, body: {metadata: {name}, data: {made: 'yes'}}});
}

async function patch(namespace: string, name: string): Promise<void> {
  const mergePatch = setHeaderOptions('Content-Type', PatchStrategy.MergePatch);
  await core.patchNamespacedConfigMap({namespace, name, body: {data: {patched: 'yes'}}}, mergePatch);
}

async function logs(namespace: string, name: string, container: string): Promise<void> {
  say(await core.readNamespacedPodLog({namespace, name, container}));
}

async function follow(namespace: string, pod: string, container: string): Promise<void> {
  await new Log(config).log(namespace, pod, container, stdout, {follow: true});
}

async function exec(namespace: string, pod: string, container: string, ...command: string[]): Promise<void> {
  await new Exec(config).exec(namespace, pod, container, command, stdout, stderr, stdin, false, exit);
}

async function attach(namespace: string, pod: string, container: string): Promise<void> {
  await new Attach(config).attach(namespace, pod, container, stdout, stderr, stdin, false);
}

/** Says which local port it listens on, and carries each connection to a port of a pod. */
async function forward(namespace: string, pod: string, port: string): Promise<void> {
  const server = net.createServer((socket) => {
    socket.on('error', () => {});
    void new PortForward(config).portForward(namespace, pod, [Number(port)], socket, null, socket);
  });
  server.listen(0, '127.0.0.1', () => {
    say(`Forwarding from 127.0.0.1:${(server.address() as net.AddressInfo).port}`);
  });
}

/** With the exit code of the command that was run. */
function exit({status, details}: V1Status): void {
  const cause = details?.causes?.find(({reason}) => reason === 'ExitCode');
  process.exitCode = status === 'Success' ? 0 : Number(cause?.message ?? 1);
}

function end(error: unknown): void {
  if (error) say('ENDED', error);
}

const commands: Readonly<Record<string, (namespace: string, ...args: string[]) => Promise<void>>> = {
  list,
  watch,
  create,
  refusal: create,
  patch,
  logs,
  follow,
  exec,
  input: exec,
  attach,
  'port-forward': forward,
  informers: informer,
};
const [namespace = '', command = '', ...args] = process.argv.slice(2);
await commands[command]?.(namespace, ...args);
