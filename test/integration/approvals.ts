import {createHash} from 'node:crypto';
import path from 'node:path';
import {setTimeout as sleep} from 'node:timers/promises';
import type {KubectlResult} from '../cluster/cluster.ts';
import {type StartClusterOptions, type StartedCluster, startCluster} from '../cluster/start.ts';

export const root = path.resolve(import.meta.dirname, '../..');
export const operator = 'system:serviceaccount:lockkeeper-system:lockkeeper-operator';

export type Fields = Record<string, unknown>;

/** Someone who acts through kubectl: a user with their groups; nobody given is the cluster's administrator. */
export interface Person {
  readonly user: string;
  readonly groups?: readonly string[];
}

/**
 * A cluster of its own with config/default as shipped (its pods do not run: there is no node) and examples/pci, and
 * what its tests do there: the operator and the approvers act, no process of Lockkeeper runs.
 */
export class ApprovalCluster {
  readonly cluster: StartedCluster;

  private constructor(cluster: StartedCluster) {
    this.cluster = cluster;
  }

  static async start(options: StartClusterOptions = {}): Promise<ApprovalCluster> {
    const cluster = await startCluster(options);
    try {
      await cluster.mustKubectl(['apply', '-k', path.join(root, 'config/default')]);
      const crds = ['crd/agentaccesspolicies.lockkeeper.dev', 'crd/accessrequests.lockkeeper.dev'];
      await cluster.mustKubectl(['wait', '--for=condition=Established', '--timeout=30s', ...crds]);
      const approvals = new ApprovalCluster(cluster);
      // An admission policy on a new kind answers 503 at first.
      await until(async () => (await cluster.kubectl(['apply', '-f', path.join(root, 'examples/pci')])).code === 0);
      await approvals.#untilEnforced();
      return approvals;
    } catch (error) {
      await cluster.stop();
      throw error;
    }
  }

  /** Runs kubectl in the namespace payments as that person, authenticated by a client certificate. */
  async kubectl(person: Person | undefined, args: readonly string[], input?: unknown): Promise<KubectlResult> {
    const kubeconfig = person && (await this.cluster.kubeconfigFor(person));
    return this.cluster.kubectl(['--namespace=payments', ...args], {
      ...(kubeconfig && {kubeconfig}),
      ...(input !== undefined && {input: typeof input === 'string' ? input : JSON.stringify(input)}),
    });
  }

  async apply(manifest: string): Promise<void> {
    await this.cluster.mustKubectl(['apply', '-f', '-'], {input: manifest});
  }

  /** The operator opens an AccessRequest in payments. */
  async open(name: string, spec: Fields = {}): Promise<void> {
    await this.cluster.mustKubectl(['create', '-f', '-', `--as=${operator}`], {
      input: JSON.stringify(accessRequest(name, spec)),
    });
  }

  /** What an approver types. */
  decide(person: Person, name: string, decision: Fields | null, ...flags: string[]): Promise<KubectlResult> {
    return this.patchStatus(person, name, {decision}, ...flags);
  }

  patchStatus(person: Person | undefined, name: string, status: Fields, ...flags: string[]): Promise<KubectlResult> {
    const patch = JSON.stringify({status});
    const args = ['patch', 'accessrequest', name, '--subresource=status', '--type=merge', '-p', patch];
    return this.kubectl(person, [...args, ...flags]);
  }

  /** What the operator does: reads, changes the status, and writes with the resourceVersion that it read. */
  async operate(name: string, change: (status: Fields) => Fields): Promise<KubectlResult> {
    const request = await this.read(name);
    const uri = `/apis/lockkeeper.dev/v1alpha1/namespaces/payments/accessrequests/${name}/status`;
    const body = {...request, status: change((request.status as Fields | undefined) ?? {})};
    return this.kubectl(undefined, ['replace', `--raw=${uri}`, '-f', '-', `--as=${operator}`], body);
  }

  /** The operator takes the decision out of the slot and records it. */
  async drain(name: string): Promise<void> {
    const {code, stderr} = await this.operate(name, ({decision, decisions, ...rest}) => ({
      ...rest,
      decisions: [...((decisions as Fields[] | undefined) ?? []), {...(decision as Fields), time: timestamp(0)}],
    }));
    if (code !== 0) throw new Error(`drain: ${stderr}`);
  }

  /** The operator takes the revocation out of the slot and records it. */
  async drainRevocation(name: string): Promise<KubectlResult> {
    return this.operate(name, ({decision, ...rest}) => {
      const {outcome: _, ...by} = decision as Fields;
      return {...rest, phase: 'Revoked', revokedBy: {...by, time: timestamp(0)}};
    });
  }

  async read(name: string): Promise<Fields> {
    const args = ['get', 'accessrequest', name, '--namespace=payments', '-o', 'json', '--show-managed-fields'];
    return JSON.parse(await this.cluster.mustKubectl(args));
  }

  async decision(name: string): Promise<unknown> {
    return ((await this.read(name)).status as Fields | undefined)?.decision;
  }

  async #untilEnforced(): Promise<void> {
    const refused = async (object: Fields, policy: string, ...as: string[]) => {
      const args = ['create', '-f', '-', '--dry-run=server', ...as];
      return (await this.kubectl(undefined, args, object)).stderr.includes(`'${policy}'`);
    };
    await until(() => refused(accessRequest('probe', {}), 'lockkeeper-accessrequests'));
    const policy = {
      apiVersion: 'lockkeeper.dev/v1alpha1',
      kind: 'AgentAccessPolicy',
      metadata: {name: 'probe', namespace: 'payments'},
      spec: {subjects: [{kind: 'User', name: '*'}]},
    };
    await until(() => refused(policy, 'lockkeeper-agents', '--as=agent:probe', '--as-group=system:masters'));
    await this.open('probe');
    const alice = {user: 'alice', groups: ['payments-oncall']};
    await until(async () => (await this.decide(alice, 'probe', {outcome: 'Denied'}, '--dry-run=server')).code === 0);
  }
}

export function accessRequest(name: string, spec: Fields): Fields {
  return {
    apiVersion: 'lockkeeper.dev/v1alpha1',
    kind: 'AccessRequest',
    metadata: {name, namespace: 'payments'},
    spec: {
      agent: {username: 'agent:build-bot', groups: ['ai-agents']},
      operation: {verb: 'create', resource: 'secrets', namespace: 'payments'},
      request: {method: 'POST', path: '/api/v1/namespaces/payments/secrets'},
      digest: createHash('sha256').update(name).digest('hex'),
      policy: {namespace: 'payments', name: 'ask-first', rule: 'create-secret'},
      approvers: {groups: ['payments-oncall']},
      expiresAt: timestamp(15 * 60),
      ...spec,
    },
  };
}

/** RFC 3339, that many seconds from now. */
export function timestamp(seconds: number): string {
  return new Date(Date.now() + seconds * 1000).toISOString();
}

/** Asks again until it holds; gives up after a minute or so. */
export async function until(holds: () => Promise<boolean>): Promise<void> {
  for (let attempt = 0; attempt < 300; attempt++) {
    if (await holds()) return;
    await sleep(100);
  }
  throw new Error(`never held: ${holds}`);
}
