import type {OperationPattern} from '../api/agentaccesspolicy.ts';
import type {LoadedRule} from '../policy/loadedbundle.ts';
import type {Review} from './access.ts';
import {common, commonNames, commonPaths, commonResources, withPodStreams} from './common.ts';
import {prospectOf} from './prospect.ts';
import {type Question, questionAboutPath, questionAboutResource} from './question.ts';

/** `status` of a SelfSubjectRulesReview. */
export interface RulesStatus {
  readonly resourceRules: readonly ResourceRule[];
  readonly nonResourceRules: readonly NonResourceRule[];
  readonly incomplete: boolean;
  readonly evaluationError?: string;
}

export interface ResourceRule {
  readonly verbs: readonly string[];
  readonly apiGroups?: readonly string[];
  readonly resources?: readonly string[];
  readonly resourceNames?: readonly string[];
}

export interface NonResourceRule {
  readonly verbs: readonly string[];
  readonly nonResourceURLs?: readonly string[];
}

/** Past these the list is cut: nobody reads that far, and the proxy has other calls to serve. */
const maximumRules = 2000;
const maximumComparisons = 50_000;

const note = 'narrowed by Lockkeeper to what its policies may allow; parts of it may be denied or need approval';

/**
 * What the API server answered to a SelfSubjectRulesReview, narrowed to what policy may allow: what its rules have in
 * common with those that allow or ask for approval, without what is denied as a whole.
 *
 * @param namespace that the review asks about
 * @returns undefined where the answer cannot be read
 */
export function reviewRules(status: unknown, namespace: string, review: Review): RulesStatus | undefined {
  if (!isRulesStatus(status)) return undefined;
  const narrowing = new Narrowing(namespace, review);
  const resourceRules = narrowing.resourceRules(status.resourceRules);
  const nonResourceRules = narrowing.nonResourceRules(status.nonResourceRules);
  const errors = [status.evaluationError ?? '', note, narrowing.cut ? 'the list was cut for its length' : ''];
  return {
    resourceRules,
    nonResourceRules,
    incomplete: true,
    evaluationError: errors.filter((error) => error !== '').join('; '),
  };
}

class Narrowing {
  /** Whether there was more than is given. */
  cut = false;
  readonly #namespace: string;
  readonly #review: Review;
  #comparisons = 0;

  constructor(namespace: string, review: Review) {
    this.#namespace = namespace;
    this.#review = review;
  }

  resourceRules(granted: readonly ResourceRule[]): readonly ResourceRule[] {
    const verbsOf = new Map<string, Set<string>>();
    const patterns = this.#patterns([this.#namespace, '']);
    for (const [grant, pattern] of this.#pairs(granted, patterns, verbsOf)) {
      const names = commonNames(grant.resourceNames ?? [], pattern.resourceNames ?? []);
      if (names === undefined) continue;
      const verbs = common(grant.verbs, pattern.verbs);
      for (const group of common(grant.apiGroups ?? [], pattern.apiGroups ?? [])) {
        for (const resource of commonResources(grant.resources ?? [], pattern)) {
          for (const verb of verbs) {
            const allowed = this.#allowedNames(verb, group, resource, names);
            if (allowed !== undefined) addTo(verbsOf, JSON.stringify([group, resource, allowed]), verb);
          }
        }
      }
    }
    return [...verbsOf].map(([key, verbs]) => {
      const [group, resource, resourceNames] = JSON.parse(key) as [string, string, string[]];
      return {
        verbs: [...verbs],
        apiGroups: [group],
        resources: [resource],
        ...(resourceNames.length > 0 && {resourceNames}),
      };
    });
  }

  nonResourceRules(granted: readonly NonResourceRule[]): readonly NonResourceRule[] {
    const verbsOf = new Map<string, Set<string>>();
    for (const [grant, pattern] of this.#pairs(granted, this.#patterns(['']), verbsOf)) {
      for (const path of commonPaths(grant.nonResourceURLs ?? [], pattern.nonResourceURLs ?? [])) {
        for (const verb of common(grant.verbs, pattern.verbs)) {
          if (this.#may(questionAboutPath({verb, path}, this.#review.asker))) addTo(verbsOf, path, verb);
        }
      }
    }
    return [...verbsOf].map(([path, verbs]) => ({verbs: [...verbs], nonResourceURLs: [path]}));
  }

  /** Each rule that is granted with each pattern, for as long as the answer stays in bounds. */
  *#pairs<Rule>(
    granted: readonly Rule[],
    patterns: Iterable<OperationPattern>,
    found: ReadonlyMap<string, unknown>,
  ): Generator<readonly [Rule, OperationPattern]> {
    for (const pattern of patterns) {
      for (const rule of granted) {
        if (found.size >= maximumRules || ++this.#comparisons > maximumComparisons) {
          this.cut = true;
          return;
        }
        yield [rule, pattern];
      }
    }
  }

  /** Of the rules that let something through to requests in one of the namespaces; "" stands for those in none. */
  #patterns(namespaces: readonly string[]): readonly OperationPattern[] {
    const {bundle, agent, asker} = this.#review;
    const rules = new Set<LoadedRule>();
    for (const namespace of namespaces) {
      const {operation} = questionAboutResource({...anything, namespace}, asker);
      const {allow, requireApproval} = bundle.applicable(agent, operation);
      for (const rule of [...allow, ...requireApproval]) rules.add(rule);
    }
    return [...rules].flatMap(({rule}) => rule.operations.flatMap(withPodStreams));
  }

  /** Those of the names, or [] for any, of which policy may allow it; undefined where there are none. */
  #allowedNames(
    verb: string,
    group: string,
    notation: string,
    names: readonly string[],
  ): readonly string[] | undefined {
    const [resource = '', sub = ''] = notation.split('/');
    // RBAC's "*" has the subresources in it.
    const subresources = notation === '*' ? ['', '*'] : [sub];
    const asked = {...anything, verb, group, resource, namespace: this.#namespace};
    const may = (name: string) =>
      subresources.some((subresource) =>
        this.#may(questionAboutResource({...asked, subresource, name}, this.#review.asker)),
      );
    if (names.length === 0) return may('') ? [] : undefined;
    const allowed = names.filter(may);
    return allowed.length === 0 ? undefined : allowed;
  }

  #may(question: Question): boolean {
    const {bundle, agent, now} = this.#review;
    const {outcome} = prospectOf(bundle, agent, question, {now, quantity: 'Some'});
    return outcome === 'Allowed' || outcome === 'NeedsApproval';
  }
}

const anything = {
  verb: '*',
  group: '*',
  version: '',
  resource: '*',
  subresource: '',
  namespace: '',
  name: '',
  fieldSelector: '',
  labelSelector: '',
} as const;

function addTo(sets: Map<string, Set<string>>, key: string, value: string): void {
  const set = sets.get(key);
  if (set === undefined) sets.set(key, new Set([value]));
  else set.add(value);
}

function isRulesStatus(status: unknown): status is RulesStatus {
  return (
    typeof status === 'object' &&
    status !== null &&
    'resourceRules' in status &&
    Array.isArray(status.resourceRules) &&
    'nonResourceRules' in status &&
    Array.isArray(status.nonResourceRules)
  );
}
