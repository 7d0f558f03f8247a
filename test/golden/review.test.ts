import {existsSync, readdirSync, readFileSync, writeFileSync} from 'node:fs';
import {expect, test} from '@jest/globals';
import {parse, stringify} from 'yaml';
import type {AgentAccessPolicy} from '../../core/api/agentaccesspolicy.ts';
import {compilePolicies} from '../../core/policy/compile.ts';
import {loadBundle} from '../../core/policy/loadbundle.ts';
import type {Agent} from '../../core/request/agent.ts';
import {type AccessStatus, type Review, reviewAccess} from '../../core/review/access.ts';
import {type RulesStatus, reviewRules} from '../../core/review/rules.ts';
import {agent as anAgent} from '../operations.ts';

/*
 * NAME.in.yaml holds policies, an agent and what the API server answered to its review; NAME.out.yaml the status that
 * the agent is given. A new case is two files: write the first, run with UPDATE_GOLDEN=1, and read the second before
 * committing it.
 */
const folder = new URL('review/', import.meta.url);

interface Case {
  readonly policies: readonly AgentAccessPolicy[];
  readonly agent: Partial<Agent>;
  /** `spec` of a SelfSubjectAccessReview; `status` is allowed unless it is given. */
  readonly access?: {readonly spec: unknown; readonly status?: AccessStatus};
  /** A SelfSubjectRulesReview. */
  readonly rules?: {readonly namespace: string; readonly status: Partial<RulesStatus>};
}

const names = readdirSync(folder)
  .filter((file) => file.endsWith('.in.yaml'))
  .map((file) => file.slice(0, -'.in.yaml'.length));

test.each(names)('%s', (name) => {
  const actual = stringify(outcome(parse(readFileSync(new URL(`${name}.in.yaml`, folder), 'utf8')) as Case), {
    lineWidth: 0,
  });
  const golden = new URL(`${name}.out.yaml`, folder);
  if (process.env.UPDATE_GOLDEN === '1') {
    writeFileSync(golden, actual);
  }
  expect(existsSync(golden) ? readFileSync(golden, 'utf8') : 'no such file: run with UPDATE_GOLDEN=1').toBe(actual);
});

test('every golden output has its input', () => {
  const outputs = readdirSync(folder).filter((file) => file.endsWith('.out.yaml'));
  expect(outputs.map((file) => file.slice(0, -'.out.yaml'.length)).sort()).toEqual([...names].sort());
});

function outcome({policies, agent, access, rules}: Case): unknown {
  const {bundle} = compilePolicies(policies, {rootNamespace: 'lockkeeper-system', revision: '1'});
  const review: Review = {
    bundle: loadBundle(JSON.parse(JSON.stringify(bundle))),
    agent: anAgent(agent),
    asker: {userAgent: 'kubectl/v1.36.3', sourceIP: '192.0.2.7'},
    now: new Date('2026-03-02T10:30:00Z'),
  };
  if (rules !== undefined) {
    const status = {resourceRules: [], nonResourceRules: [], incomplete: false, ...rules.status};
    return reviewRules(status, rules.namespace, review);
  }
  return reviewAccess({status: {allowed: true}, ...access}, review);
}
