/**
 * An MCP host without a model: every command calls one tool of kubernetes-mcp-server (its binary is $MCP_SERVER) with the
 * cluster of $KUBECONFIG, in the namespace of the first argument, and prints the text that a model would be given. The
 * transport is stdio: one JSON-RPC 2.0 message a line.
 */
import {spawn} from 'node:child_process';
import {createInterface} from 'node:readline';

interface Message {
  readonly id?: number;
  readonly result?: {readonly content?: readonly {readonly text?: string}[]; readonly isError?: boolean};
  readonly error?: {readonly message: string};
}

const {MCP_SERVER: program = '', KUBECONFIG: kubeconfig = ''} = process.env;
const server = spawn(program, ['--kubeconfig', kubeconfig, '--list-output', 'yaml'], {
  stdio: ['pipe', 'pipe', 'inherit'],
});
const answers = createInterface({input: server.stdout})[Symbol.asyncIterator]();

function send(message: object): void {
  server.stdin.write(`${JSON.stringify({jsonrpc: '2.0', ...message})}\n`);
}

async function request(id: number, method: string, params: object): Promise<NonNullable<Message['result']>> {
  send({id, method, params});
  for (;;) {
    const {value, done} = await answers.next();
    if (done) throw new Error('the server ended');
    const message = JSON.parse(value) as Message;
    // Between request and answer the server may notify.
    if (message.id !== id) continue;
    if (message.result === undefined) throw new Error(message.error?.message);
    return message.result;
  }
}

/** What a model would ask for: the tool and its arguments. */
type Call = readonly [tool: string, args: object];

const configMaps = {apiVersion: 'v1', kind: 'ConfigMap'};

function apply(namespace: string, name: string, data: Readonly<Record<string, string>>): Call {
  const resource = JSON.stringify({...configMaps, metadata: {namespace, name}, data});
  return ['resources_create_or_update', {resource}];
}

function create(namespace: string, name = ''): Call {
  return apply(namespace, name, {made: 'yes'});
}

const commands: Readonly<Record<string, (namespace: string, ...args: string[]) => Call>> = {
  list: (namespace) => ['resources_list', {...configMaps, namespace}],
  create,
  refusal: create,
  // Server-side apply: a PATCH on the wire.
  patch: (namespace, name = '') => apply(namespace, name, {made: 'yes', patched: 'yes'}),
  logs: (namespace, name, container) => ['pods_log', {namespace, name, container}],
  exec: (namespace, name, container, ...command) => ['pods_exec', {namespace, name, container, command}],
};

const [namespace = '', command = '', ...args] = process.argv.slice(2);
try {
  const clientInfo = {name: 'lockkeeper-test', version: '1'};
  await request(1, 'initialize', {protocolVersion: '2025-06-18', capabilities: {}, clientInfo});
  send({method: 'notifications/initialized'});
  const [name, toolArguments] = commands[command]?.(namespace, ...args) ?? ['', {}];
  const {content = [], isError = false} = await request(2, 'tools/call', {name, arguments: toolArguments});
  for (const {text = ''} of content) process.stdout.write(`${text}\n`);
  if (isError) process.exitCode = 1;
} finally {
  server.kill();
}
