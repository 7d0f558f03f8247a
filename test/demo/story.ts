import {copyFile, readFile, writeFile} from 'node:fs/promises';
import path from 'node:path';
import {setTimeout as sleep} from 'node:timers/promises';
import type {LocalEnvironment} from '../environment/local.ts';
import {Actor} from './stage.ts';

/** How long a policy edit may take until the proxies decide by it. */
const policySeconds = 2;

/** Plays the PCI story with a plain kubectl; throws at the first step that does not go as it must. */
export async function tellStory(local: LocalEnvironment, say: (line: string) => void): Promise<void> {
  const agent = new Actor('agent', local.kubeconfigs.agent, local.cluster, say);
  const approver = new Actor('approver', local.kubeconfigs.approver, local.cluster, say);
  const author = new Actor('author', local.kubeconfigs.admin, local.cluster, say);
  const title = (text: string) => say(`\n── ${text} ──`);

  title('1. The agent reads what it may; card numbers are masked');
  await agent.types('kubectl -n payments get pods', {shows: ['checkout', 'ledger']});
  await agent.types('kubectl -n payments get configmap checkout-fixtures -o yaml', {
    shows: ['************1111', '**** **** **** 4444', '****-****-****-1881', '20260714'],
    hides: ['4111111111111111', '5555 5555 5555 4444', '3782-822463-10005', '4012-8888-8888-1881'],
  });

  title('2. The agent lists Secrets: blocked, and told why');
  await agent.types('kubectl -n payments get secrets', {code: 1, shows: ['Forbidden', 'payments/']});

  title('3. Another namespace: nothing is allowed that no policy allows');
  await agent.types('kubectl -n warehouse get pods', {code: 1, shows: ['Forbidden', 'warehouse']});

  title('4. The agent creates a Secret: a person decides');
  const create = 'kubectl -n payments create secret generic webhook-token --from-literal=token=example';
  const held = await agent.types(create, {code: 1, shows: ['AccessRequest payments/', 'waits for approval']});
  const request = nameOfRequest(held.output);
  await approver.types('kubectl -n payments get accessrequests', {shows: [request, 'Pending']});
  await approver.types(
    `kubectl -n payments get accessrequest ${request} -o jsonpath='{.spec.operation.verb} {.spec.request.bodyPreview}'`,
    {shows: ['create {', '"name":"webhook-token"', '"token":"(12 characters)"']},
  );
  const decision = `'{"status":{"decision":{"outcome":"Approved","reason":"rotation of 2026-07"}}}'`;
  await approver.types(
    `kubectl -n payments patch accessrequest ${request} --subresource=status --type=merge -p ${decision}`,
    {shows: ['patched']},
  );
  await eventually(async () => {
    const phase = await approver.runs(`kubectl -n payments get accessrequest ${request} -o jsonpath={.status.phase}`);
    return phase.output === 'Approved';
  });
  say('\nThe same call again: it goes through, exactly once.');
  await agent.types(create, {shows: ['secret/webhook-token created']});
  await agent.types(create, {code: 1, shows: ['waits for approval'], hides: [request]});
  say('\nAnother body is another call.');
  await agent.types(create.replace('example', 'another'), {code: 1, shows: ['waits for approval'], hides: [request]});

  title('5. The agent tries to help itself');
  const pending = nameOfRequest((await agent.runs(create)).output);
  await agent.types(
    `kubectl -n payments patch accessrequest ${pending} --subresource=status --type=merge -p ${decision}`,
    {code: 1, shows: ['Forbidden']},
  );
  await agent.types('kubectl -n payments get pods --as=alice@example.com', {code: 1, shows: ['mpersonat']});
  await agent.types('kubectl -n payments delete agentaccesspolicy no-secrets', {code: 1, shows: ['Forbidden']});

  title('6. A policy edit is in force at once; nothing restarts');
  await policyEdit(agent, author, say);

  title('7. The record is whole, or says where it is not');
  await verifyRecord(local, author, say);
}

async function policyEdit(agent: Actor, author: Actor, say: (line: string) => void): Promise<void> {
  const list = 'kubectl -n payments get pods';
  say('\nThe agent watches pods in the background: kubectl -n payments get pods --watch');
  const watch = agent.starts(`${list} --watch`);
  try {
    await new Promise((resolve) => watch.stdout.once('data', resolve));
    await author.types('kubectl apply -f examples/incident/freeze.yaml', {shows: ['created']});
    const start = performance.now();
    const since = () => (performance.now() - start) / 1000;
    // What counts is when a call began: how long kubectl takes to start says nothing of the gateway.
    for (let began = since(); (await agent.runs(list)).code === 0; began = since()) {
      if (began > policySeconds) throw new Error(`a call ${began.toFixed(1)} s after the edit was let through`);
    }
    const seconds = since();
    await agent.types(list, {code: 1, shows: ['payments is frozen while an incident is handled']});
    say(`\nIn force ${seconds.toFixed(1)} s after the edit, kubectl's own start included.`);
    await author.types('kubectl delete -f examples/incident/freeze.yaml', {shows: ['deleted']});
    await eventually(async () => (await agent.runs(list)).code === 0);
  } finally {
    watch.kill();
  }
}

async function verifyRecord(local: LocalEnvironment, author: Actor, say: (line: string) => void): Promise<void> {
  const {directory, auditLogPath} = local.environment;
  await author.types(`lockkeeper audit verify ${auditLogPath}`, {shows: ['whole']});
  const tampered = path.join(directory, 'tampered.log');
  await copyFile(auditLogPath, tampered);
  const log = await readFile(tampered);
  const middle = log.indexOf('"verb":"', log.length / 2) + '"verb":"'.length;
  log[middle] = (log[middle] ?? 0) ^ 1;
  await writeFile(tampered, log);
  say('\nOne bit of a copy is changed.');
  await author.types(`lockkeeper audit verify ${tampered}`, {code: 1, shows: ['line']});
}

function nameOfRequest(output: string): string {
  const name = /AccessRequest payments\/([a-z0-9.-]+)/.exec(output)?.[1];
  if (name === undefined) throw new Error(`no AccessRequest is named in: ${output}`);
  return name;
}

async function eventually(holds: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 15_000;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error('what the demo waits for did not happen within 15 s');
    await sleep(100);
  }
}
