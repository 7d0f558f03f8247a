import {compileMasking, compilePaths, InvalidMasking, type PlanPart} from '../mask/compileplan.ts';
import type {FieldPath} from '../mask/plan.ts';
import type {Operation} from '../request/operation.ts';
import type {BundleExemption, BundleMasking, BundleResources} from './bundle.ts';
import {isGiven, type Matcher, oneOf, oneOfPrefixes} from './pattern.ts';

/** What of an operation says whether a masking entry applies to its answer. */
type Answered = Pick<Operation, 'namespace' | 'apiGroup' | 'resource' | 'subresource'>;

/** A masking entry ready to be matched. */
export interface LoadedMasking {
  /** Set where the entry cannot be honoured: the answers that it covers must be refused. */
  readonly problem: InvalidMasking | undefined;
  /** undefined where there is a problem. */
  readonly part: PlanPart | undefined;
  readonly unexpected: boolean;
  /** Whether it matters to the entry which operation is answered; else it always applies in the same way. */
  readonly selective: boolean;
  /** The members that the entry leaves alone in the answer; undefined where it does not apply to that at all. */
  exemptIn(operation: Answered): readonly FieldPath[] | undefined;
  /** Equal for operations in whose answers the entry leaves the same alone: quicker to come by, and short. */
  variantIn(operation: Answered): string;
}

interface LoadedExemption {
  matches(operation: Answered): boolean;
  /** undefined: the whole answer. */
  readonly fields: readonly FieldPath[] | undefined;
}

const noFields: readonly FieldPath[] = [];

/** Reads an entry. One that is invalid still covers what it would cover. */
export function loadMasking(entry: BundleMasking): LoadedMasking {
  let problem: InvalidMasking | undefined;
  const reading = <T>(read: () => T): T | undefined => {
    try {
      return read();
    } catch (error) {
      if (!(error instanceof InvalidMasking)) throw error;
      problem ??= error;
      return undefined;
    }
  };
  const part = reading(() => compileMasking(entry));
  const covers = entry.field === undefined ? () => true : oneOfResources(entry.field.resources, () => () => true);
  const exemptions = (entry.exemptions ?? []).flatMap(
    (exemption, index) => reading(() => loadExemption(exemption, entry, `exemptions[${index}]`)) ?? [],
  );
  const whole = exemptions.filter(({fields}) => fields === undefined);
  const partial = exemptions.filter(({fields}) => fields !== undefined);
  const applies = (operation: Answered) =>
    covers(operation) && !whole.some((exemption) => exemption.matches(operation));
  return {
    problem,
    part: problem === undefined ? part : undefined,
    unexpected: entry.unexpected === true,
    selective: entry.field !== undefined || exemptions.length > 0,
    exemptIn(operation) {
      if (!applies(operation)) return undefined;
      if (partial.length === 0) return noFields;
      return partial.flatMap(({matches, fields = []}) => (matches(operation) ? fields : []));
    },
    variantIn(operation) {
      if (!applies(operation)) return '-';
      let variant = '+';
      for (const {matches} of partial) variant += matches(operation) ? '1' : '0';
      return variant;
    },
  };
}

function loadExemption(
  {namespaces, resources, fields}: BundleExemption,
  {detector, unexpected}: BundleMasking,
  path: string,
): LoadedExemption {
  if (!isGiven(namespaces) && !isGiven(resources) && !isGiven(fields)) {
    throw new InvalidMasking(path, 'needs namespaces, resources or fields');
  }
  if (isGiven(fields) && (detector === 'Field' || unexpected === true)) {
    throw new InvalidMasking(`${path}.fields`, `does not go with ${unexpected ? 'unexpected' : 'the detector Field'}`);
  }
  // An answer that is in no namespace, or in many, is in none that could be exempted.
  const inNamespace = isGiven(namespaces) ? oneOfPrefixes(namespaces.filter((name) => name !== '')) : undefined;
  const ofResource = isGiven(resources) ? oneOfResources(resources, subresourcesOf) : undefined;
  return {
    matches: (operation) =>
      (inNamespace === undefined || (operation.namespace !== '' && inNamespace(operation.namespace))) &&
      (ofResource === undefined || ofResource(operation)),
    fields: isGiven(fields) ? compilePaths(fields, `${path}.fields`) : undefined,
  };
}

function subresourcesOf({subresources}: {readonly subresources?: readonly string[]}): Matcher {
  return isGiven(subresources) ? oneOf(subresources) : (subresource) => subresource === '';
}

function oneOfResources<R extends BundleResources>(
  patterns: readonly R[],
  subresourceOf: (pattern: R) => Matcher,
): (operation: Answered) => boolean {
  const compiled = patterns.map((pattern) => ({
    apiGroup: oneOf(pattern.apiGroups),
    resource: oneOf(pattern.resources),
    subresource: subresourceOf(pattern),
  }));
  return (operation) =>
    operation.resource !== '' &&
    compiled.some(
      ({apiGroup, resource, subresource}) =>
        resource(operation.resource) && apiGroup(operation.apiGroup) && subresource(operation.subresource),
    );
}
