import {type AppliedPart, recordParts, unitePlan} from '../mask/compileplan.ts';
import type {Operation} from '../request/operation.ts';
import {type BundlePolicy, policyKey} from './bundle.ts';
import type {AuditLevel, Obligations} from './decision.ts';
import type {LoadedMasking} from './masking.ts';

const auditLevels: readonly AuditLevel[] = ['Metadata', 'Request', 'RequestResponse'];

/** A policy whose masking, audit level and recording hold. */
export interface ObligingPolicy {
  readonly policy: BundlePolicy;
  readonly masking: readonly LoadedMasking[];
}

/** Far more than policies tell apart; a bound all the same, since agents choose what they ask for. */
const knownAtMost = 1024;

interface Entry {
  /** For a person. */
  readonly description: string;
  /** Of its policy. */
  readonly namespace: string;
  readonly masking: LoadedMasking;
}

/** What the policies that apply in one place oblige to, worked out once for each combination of masking entries. */
export class ObligationsOfPlace {
  readonly #entries: readonly Entry[];
  readonly #selective: readonly LoadedMasking[];
  readonly #rootNamespace: string;
  readonly #rest: Pick<Obligations, 'auditLevel' | 'recordInput' | 'dryRun' | 'revision'>;
  /** By which entries apply, and to what of the answer. */
  readonly #known = new Map<string, Obligations>();

  constructor(policies: readonly ObligingPolicy[], rootNamespace: string, revision: string) {
    this.#rootNamespace = rootNamespace;
    this.#entries = policies.flatMap(({policy, masking}) =>
      masking.map((loaded, index) => ({
        description: `policy ${policyKey(policy)}, masking ${policy.masking[index]?.name}`,
        namespace: policy.namespace,
        masking: loaded,
      })),
    );
    this.#selective = this.#entries.map(({masking}) => masking).filter(({selective}) => selective);
    const level = Math.max(0, ...policies.map(({policy}) => auditLevels.indexOf(policy.auditLevel)));
    this.#rest = {
      auditLevel: auditLevels[level] ?? 'RequestResponse',
      recordInput: policies.some(({policy}) => policy.recordInput),
      dryRun: Object.freeze([]),
      revision,
    };
  }

  /** @param lifts the namespace whose masking is lifted; the root namespace: all */
  of(operation: Operation, lifts: string | undefined): Obligations {
    let key = `${lifts ?? ''} `;
    for (const masking of this.#selective) key += masking.variantIn(operation);
    let known = this.#known.get(key);
    if (known === undefined) {
      if (this.#known.size >= knownAtMost) this.#known.clear();
      known = this.#make(operation, lifts);
      this.#known.set(key, known);
    }
    return known;
  }

  #make(operation: Operation, lifts: string | undefined): Obligations {
    let refusal: string | undefined;
    let panUnexpected = false;
    const shown: AppliedPart[] = [];
    const recorded: AppliedPart[] = recordParts.map((part) => ({part, exempt: []}));
    for (const {description, namespace, masking} of this.#entries) {
      const exempt = masking.exemptIn(operation);
      if (exempt === undefined) continue;
      const {part, problem, unexpected} = masking;
      if (part === undefined) {
        // Also where it is lifted: the record would not be masked by it.
        refusal ??= `${description}: ${problem?.field}: ${problem?.message}`;
        continue;
      }
      recorded.push({part, exempt});
      if (lifts === this.#rootNamespace || lifts === namespace) continue;
      shown.push({part, exempt});
      panUnexpected ||= unexpected;
    }
    const masking = unitePlan(shown);
    const recordMasking = unitePlan(recorded);
    if (recordMasking === undefined) throw new TypeError('the record is always masked');
    return Object.freeze({
      masking,
      maskingRefusal: refusal,
      recordMasking,
      unmasked: lifts !== undefined,
      panUnexpected,
      ...this.#rest,
    });
  }
}
