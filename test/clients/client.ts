/** What agents do with a cluster; a client of the tests does each that its library or program offers. */
export const abilities = [
  'list',
  'watch',
  'create',
  'patch',
  'refusal',
  'logs',
  'follow',
  'exec',
  'input',
  'attach',
  'cp',
  'port-forward',
  'informers',
  'many informers',
] as const;
export type Ability = (typeof abilities)[number];

/** How a call travels; streams into pods may go in several ways. */
export type Transport = 'HTTP' | 'WebSocket' | 'WebSocket (v5)' | 'WebSocket (v4)' | 'SPDY';

/** Where the gateway is and what the agent is given for it. */
export interface Access {
  readonly namespace: string;
  readonly kubeconfig: string;
  readonly server: string;
  /** File with the authority (PEM) of the gateway's certificate. */
  readonly authority: string;
  readonly token: string;
}

export interface Call {
  readonly access: Access;
  readonly ability: Ability;
  readonly transport: Transport;
  /** Names of an object, or of a pod and its container; then what is to be run there. */
  readonly args: readonly string[];
}

export interface CommandLine {
  readonly command: readonly [program: string, ...args: string[]];
  readonly env?: Readonly<Record<string, string>>;
}

/** One client, as its users have it: nothing in it knows of the gateway but what `Access` says. */
export interface Client {
  readonly name: string;
  readonly version: string;
  /** What must be set up for the gateway, and what the client itself cannot do; Markdown. */
  readonly setUp: string;
  readonly does: Readonly<Partial<Record<Ability, readonly [Transport, ...Transport[]]>>>;
  /** Why it cannot run on this machine, in one sentence for a person. */
  readonly unavailable?: () => Promise<string | undefined>;
  /** Has it ready, and gives what `commandLine` runs. */
  readonly install: () => Promise<string>;
  readonly commandLine: (program: string, call: Call) => CommandLine;
}

/** Every single thing that a client does, in the order of the page. */
export function callsOf(client: Client): readonly {readonly ability: Ability; readonly transport: Transport}[] {
  return abilities.flatMap((ability) => (client.does[ability] ?? []).map((transport) => ({ability, transport})));
}
