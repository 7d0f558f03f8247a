/**
 * What a page in a browser could do, with nothing but the standard fetch and WebSocket: a WebSocket there takes no
 * headers, so the token goes in Sec-WebSocket-Protocol. Every command does one thing with the API server of $SERVER as
 * the bearer of $TOKEN, in the namespace of the first argument, and prints what it was given.
 */
const {SERVER: server = '', TOKEN: token = ''} = process.env;
const authorization = `Bearer ${token}`;

function say(...words: readonly unknown[]): void {
  process.stdout.write(`${words.join(' ')}\n`);
}

interface ConfigMap {
  readonly metadata: {readonly name: string};
  readonly data?: Readonly<Record<string, string>>;
}

async function call(path: string, options: RequestInit = {}): Promise<Response> {
  const response = await fetch(`${server}${path}`, {...options, headers: {...options.headers, authorization}});
  if (!response.ok) throw new Error(await response.text());
  return response;
}

const configMaps = (namespace: string) => `/api/v1/namespaces/${namespace}/configmaps`;

async function list(namespace: string): Promise<void> {
  const {items} = (await (await call(configMaps(namespace))).json()) as {items: readonly ConfigMap[]};
  for (const {metadata, data} of items) say(metadata.name, data?.card);
}

async function watch(namespace: string): Promise<void> {
  const {body} = await call(`${configMaps(namespace)}?watch=true`);
  let text = '';
  for await (const chunk of body?.pipeThrough(new TextDecoderStream()) ?? []) {
    const lines = (text + chunk).split('\n');
    text = lines.pop() ?? '';
    for (const line of lines) {
      const {type, object} = JSON.parse(line) as {type: string; object: ConfigMap};
      say(type, object.metadata.name, object.data?.card);
    }
  }
}

async function create(namespace: string, name: string): Promise<void> {
  const body = JSON.stringify({apiVersion: 'v1', kind: 'ConfigMap', metadata: {name}, data: {made: 'yes'}});
  await call(configMaps(namespace), {method: 'POST', headers: {'content-type': 'application/json'}, body});
}

async function patch(namespace: string, name: string): Promise<void> {
  const headers = {'content-type': 'application/merge-patch+json'};
  const body = JSON.stringify({data: {patched: 'yes'}});
  await call(`${configMaps(namespace)}/${name}`, {method: 'PATCH', headers, body});
}

async function logs(namespace: string, pod: string, container: string): Promise<void> {
  say(await (await call(`/api/v1/namespaces/${namespace}/pods/${pod}/log?container=${container}`)).text());
}

async function follow(namespace: string, pod: string, container: string): Promise<void> {
  const {body} = await call(`/api/v1/namespaces/${namespace}/pods/${pod}/log?container=${container}&follow=true`);
  for await (const chunk of body ?? []) process.stdout.write(chunk);
}

function exec(namespace: string, pod: string, container: string, ...command: string[]): void {
  const query = new URLSearchParams({container, stdin: 'true', stdout: 'true', stderr: 'true'});
  for (const word of command) query.append('command', word);
  open(`/api/v1/namespaces/${namespace}/pods/${pod}/exec?${query}`);
}

function attach(namespace: string, pod: string, container: string): void {
  const query = new URLSearchParams({container, stdin: 'true', stdout: 'true', stderr: 'true'});
  open(`/api/v1/namespaces/${namespace}/pods/${pod}/attach?${query}`);
}

/** Carries stdin, stdout and stderr in messages of v5.channel.k8s.io, each begun by the number of its channel. */
function open(path: string): void {
  const bearer = `base64url.bearer.authorization.k8s.io.${Buffer.from(token).toString('base64url')}`;
  const socket = new WebSocket(`${server.replace('https:', 'wss:')}${path}`, ['v5.channel.k8s.io', bearer]);
  socket.binaryType = 'arraybuffer';
  socket.onmessage = ({data}) => {
    const [channel, ...content] = new Uint8Array(data as ArrayBuffer);
    if (channel === 1) process.stdout.write(Uint8Array.from(content));
    if (channel === 2) process.stderr.write(Uint8Array.from(content));
    if (channel === 3) process.exitCode = exitCodeOf(Buffer.from(content).toString());
  };
  socket.onerror = () => say('The WebSocket did not open, or broke off.');
  socket.onclose = () => process.stdin.destroy();
  socket.onopen = () => {
    process.stdin.on('data', (chunk) => socket.send(Uint8Array.from([0, ...chunk])));
    process.stdin.on('end', () => socket.send(Uint8Array.from([255, 0])));
  };
}

function exitCodeOf(text: string): number {
  const {status, details} = JSON.parse(text) as {
    status: string;
    details?: {causes?: readonly {reason: string; message: string}[]};
  };
  if (status === 'Success') return 0;
  return Number(details?.causes?.find(({reason}) => reason === 'ExitCode')?.message ?? 1);
}

const commands: Readonly<Record<string, (namespace: string, ...args: string[]) => void | Promise<void>>> = {
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
};
const [namespace = '', command = '', ...args] = process.argv.slice(2);
await commands[command]?.(namespace, ...args);
