import {configMap, namespace, type Stack} from '../e2e/stack.ts';
import type {Ability, Access, Client, Transport} from './client.ts';
import {Running} from './running.ts';

export interface InstalledClient {
  readonly client: Client;
  /** What `client.install` gave. */
  readonly program: string;
  /** For a client that takes no kubeconfig. */
  readonly token: string;
}

/** One thing that one client does, against the cluster of a stack. */
export class Trial {
  readonly stack: Stack;
  readonly ability: Ability;
  readonly #installed: InstalledClient;
  readonly #transport: Transport;
  readonly #running: Running[] = [];

  constructor(
    stack: Stack,
    installed: InstalledClient,
    call: {readonly ability: Ability; readonly transport: Transport},
  ) {
    this.stack = stack;
    this.ability = call.ability;
    this.#transport = call.transport;
    this.#installed = installed;
  }

  /** Has the client do it; what still runs when the trial ends is ended. */
  start(...args: readonly string[]): Running {
    const {kubeconfig, environment, cluster} = this.stack;
    const {client, program, token} = this.#installed;
    const access: Access = {
      namespace,
      kubeconfig,
      token,
      server: environment.gatewayURL,
      authority: environment.caPath,
    };
    const call = {access, ability: this.ability, transport: this.#transport, args};
    const {command, env} = client.commandLine(program, call);
    const running = new Running(command, {...cluster.kubectlEnvironment(kubeconfig), ...env});
    this.#running.push(running);
    return running;
  }

  /** Like `start`, to its end, which must be a good one unless another exit code is given. */
  async run(args: readonly string[], {input = '', code = 0} = {}): Promise<Running> {
    const running = this.start(...args);
    running.child.stdin.end(input);
    const ended = await running.ended;
    if (ended !== code) throw new Error(`ended with ${ended}: ${running.stderr || running.stdout}`);
    return running;
  }

  /** Creates a ConfigMap without the gateway. */
  async make(name: string, data: Readonly<Record<string, string>>): Promise<void> {
    await this.stack.cluster.mustKubectl(['create', '-f', '-'], {input: JSON.stringify(configMap(name, data))});
  }

  /** Runs kubectl on a ConfigMap without the gateway. */
  async administer(...args: readonly string[]): Promise<string> {
    return this.stack.cluster.mustKubectl([`--namespace=${namespace}`, ...args]);
  }

  async end(): Promise<void> {
    for (const running of this.#running) await running.kill();
  }
}
