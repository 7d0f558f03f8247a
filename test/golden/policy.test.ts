import {existsSync, readdirSync, readFileSync, writeFileSync} from 'node:fs';
import {expect, test} from '@jest/globals';
import {parse, stringify} from 'yaml';
import type {AgentAccessPolicy} from '../../core/api/agentaccesspolicy.ts';
import type {MaskPlan} from '../../core/mask/plan.ts';
import {loadBundle} from '../../core/policy/loadbundle.ts';
import {compilePolicies} from '../../core/policy/compile.ts';
import type {Decision} from '../../core/policy/decision.ts';
import {select} from '../../core/policy/evaluate.ts';
import {decide} from '../../core/policy/permitted.ts';
import type {Agent} from '../../core/request/agent.ts';
import {operationOf} from '../../core/request/operation.ts';
import {resolveRequestInfo} from '../../core/request/resolve.ts';

/*
 * NAME.in.yaml holds policies, an agent and a request; NAME.out.yaml what comes of them. A new case is two files: write
 * the first, run with UPDATE_GOLDEN=1, and read the second before committing it.
 */
const folder = new URL('policy/', import.meta.url);
const rootNamespace = 'lockkeeper-system';
const now = new Date('2026-03-02T10:30:00Z');

interface Case {
  readonly policies: readonly AgentAccessPolicy[];
  readonly agent: Partial<Agent> & Pick<Agent, 'username' | 'groups'>;
  readonly request: {readonly method: string; readonly url: string; readonly body?: unknown};
}

const names = readdirSync(folder)
  .filter((file) => file.endsWith('.in.yaml'))
  .map((file) => file.slice(0, -'.in.yaml'.length));

test.each(names)('%s', (name) => {
  const actual = outcome(parse(readFileSync(new URL(`${name}.in.yaml`, folder), 'utf8')) as Case);
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

function outcome({policies, agent, request}: Case): string {
  const {bundle, problems} = compilePolicies(policies, {rootNamespace, revision: '1'});
  const info = resolveRequestInfo(request.method, request.url);
  const operation = operationOf(info, {...request, userAgent: 'kubectl/v1.36.3', sourceIP: '192.0.2.7'});
  const selection = select(loadBundle(JSON.parse(JSON.stringify(bundle))), agentOf(agent), operation);
  const decision = decide(selection, {object: request.body, patch: request.body, now});
  return stringify(
    {
      ...(problems.size > 0 && {problems: Object.fromEntries(problems)}),
      body: selection.body,
      ...shown(decision),
    },
    {lineWidth: 0},
  );
}

function agentOf(agent: Case['agent']): Agent {
  return {
    uid: '',
    extra: {},
    issuer: 'https://issuer.example.com',
    claims: {},
    serviceAccount: undefined,
    expiresAtMilliseconds: now.getTime() + 3_600_000,
    ...agent,
  };
}

/** A plan as a list, in words. */
function masked(plan: MaskPlan | undefined): readonly string[] {
  if (plan === undefined) return [];
  const {pan, trackData, cardVerificationCode, regexes, fields, decodeBase64, exemptFields} = plan;
  return [
    ...(pan === undefined ? [] : [`PAN ${pan.show}${pan.longDigitRuns ? ', in long digit runs' : ''}`]),
    ...(trackData ? ['TrackData'] : []),
    ...(cardVerificationCode ? ['CardVerificationCode'] : []),
    ...regexes.map(({pattern}) => `Regex ${pattern}`),
    ...fields.map(({path, action}) => `${action} ${path.join(' ')}`),
    ...(decodeBase64 ? ['in Base64'] : []),
    ...exemptFields.map(({path, detectors}) => `not ${detectors.join(', ')} in ${path.join(' ')}`),
  ];
}

function shown(decision: Decision): object {
  const {revision: _, masking, maskingRefusal, recordMasking, unmasked, panUnexpected, ...shared} = decision;
  const {auditLevel, recordInput, dryRun, ...rest} = shared;
  const obligations = {
    masking: masked(masking),
    ...(unmasked && {unmasked, recordMasking: masked(recordMasking)}),
    ...(panUnexpected && {panUnexpected}),
    // That no masker can do what a plan asks is no matter of policies.
    ...(maskingRefusal?.startsWith('policy ') && {maskingRefusal}),
    auditLevel,
    ...(recordInput && {recordInput}),
    ...(dryRun.length > 0 && {dryRun}),
  };
  switch (rest.outcome) {
    case 'Allowed': {
      const {permitted, outcome, by} = rest;
      return {outcome, by, permittedBy: permitted.by.kind, ...obligations};
    }
    case 'Denied': {
      const {outcome, by, reason} = rest;
      return {outcome, reason, ...(by && {by}), ...obligations};
    }
    case 'NeedsApproval': {
      const {outcome, requirements} = rest;
      return {outcome, requirements, ...obligations};
    }
  }
}
