import {expect} from '@jest/globals';
import type {AccessRequest, DecisionSlot} from '../../core/api/accessrequest.ts';
import type {KubectlResult} from '../cluster/cluster.ts';
import {eventually} from '../eventually.ts';
import type {Answer} from './client.ts';
import {namespace, type Stack} from './stack.ts';

export interface Person {
  readonly user: string;
  readonly groups: readonly string[];
}

/** People who decide AccessRequests with kubectl, and what they and the operator did so far. */
export class Approvers {
  readonly #stack: Stack;

  private constructor(stack: Stack) {
    this.#stack = stack;
  }

  /** @param groups that may approve in the tests' namespace. */
  static async of(stack: Stack, groups: readonly string[]): Promise<Approvers> {
    for (const group of groups) {
      await stack.cluster.mustKubectl([
        ...['create', 'rolebinding', `${group}-approves`, `--namespace=${namespace}`],
        ...['--clusterrole=lockkeeper-approver', `--group=${group}`],
      ]);
    }
    return new Approvers(stack);
  }

  async requests(): Promise<readonly AccessRequest[]> {
    const args = ['get', 'accessrequests', `--namespace=${namespace}`, '-o', 'json'];
    return (JSON.parse(await this.#stack.cluster.mustKubectl(args)) as {items: AccessRequest[]}).items;
  }

  /** The AccessRequests of calls about one object. */
  async requestsFor(objectName: string): Promise<readonly AccessRequest[]> {
    return (await this.requests()).filter(({spec}) => spec.operation.name === objectName);
  }

  /** Waits for the only AccessRequest about an object and gives its name. */
  opened(objectName: string): Promise<string> {
    return eventually(async () => {
      const found = await this.requestsFor(objectName);
      expect(found).toHaveLength(1);
      return found[0]?.metadata?.name ?? '';
    });
  }

  async phase(name: string): Promise<string | undefined> {
    return (await this.#read(name))?.status?.phase;
  }

  /** What an approver types. */
  async decide(
    person: Person,
    name: string,
    outcome: DecisionSlot['outcome'],
    reason = 'tested',
  ): Promise<KubectlResult> {
    const patch = JSON.stringify({status: {decision: {outcome, reason}}});
    const args = ['patch', 'accessrequest', name, `--namespace=${namespace}`, '--subresource=status', '--type=merge'];
    return this.#stack.cluster.kubectl([...args, '-p', patch], {
      kubeconfig: await this.#stack.cluster.kubeconfigFor(person),
    });
  }

  /** Approves, and waits until the operator has counted it. */
  async approve(person: Person, name: string): Promise<void> {
    const before = (await this.#read(name))?.status?.decisions?.length ?? 0;
    const {code, stderr} = await this.decide(person, name, 'Approved');
    expect([code, stderr]).toEqual([0, '']);
    await eventually(async () => expect((await this.#read(name))?.status?.decisions).toHaveLength(before + 1));
  }

  async #read(name: string): Promise<AccessRequest | undefined> {
    return (await this.requests()).find(({metadata}) => metadata?.name === name);
  }
}

/** The AccessRequest that a 403 tells the agent to wait for. */
export function pendingOf(answer: Answer): string {
  if (answer.status !== 403) throw new Error(`${answer.status}: ${answer.text}`);
  const {details} = answer.failure;
  expect(details?.causes?.[0]?.reason).toBe('AccessRequestPending');
  return details?.name ?? '';
}
