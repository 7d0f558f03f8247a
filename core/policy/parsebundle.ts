import type {OperationPattern, RuleCondition, Subject} from '../api/agentaccesspolicy.ts';
import type {
  Bundle,
  BundleApproval,
  BundleExemption,
  BundleMasking,
  BundlePolicy,
  BundleResources,
  BundleRule,
} from './bundle.ts';

/** Reads one value, or throws a Malformed that names its path. */
type Reader<T> = (value: unknown, path: string) => T;

class Malformed extends Error {}

/** Reads a bundle from decoded JSON. Nothing unknown passes: what this version does not know, it cannot enforce. */
export function parseBundle(value: unknown): {readonly bundle: Bundle} | {readonly problem: string} {
  try {
    return {bundle: bundle(value, '')};
  } catch (error) {
    if (error instanceof Malformed) {
      return {problem: error.message};
    }
    throw error;
  }
}

const text: Reader<string> = (value, path) => {
  if (typeof value !== 'string') {
    throw malformed(path, 'must be a string', value);
  }
  return value;
};

const nonEmptyText: Reader<string> = (value, path) => {
  if (text(value, path) === '') {
    throw malformed(path, 'must not be empty', value);
  }
  return value as string;
};

function integer(minimum: number): Reader<number> {
  return (value, path) => {
    if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < minimum) {
      throw malformed(path, `must be an integer of at least ${minimum}`, value);
    }
    return value;
  };
}

function oneOf<const T extends string | number>(...known: readonly T[]): Reader<T> {
  return (value, path) => {
    const found = known.find((candidate) => candidate === value);
    if (found === undefined) {
      throw malformed(path, `must be one of ${known.join(', ')}`, value);
    }
    return found;
  };
}

function list<T>(read: Reader<T>, minimumLength = 0): Reader<readonly T[]> {
  return (value, path) => {
    if (!Array.isArray(value)) {
      throw malformed(path, 'must be a list', value);
    }
    if (value.length < minimumLength) {
      throw malformed(path, `must have at least ${minimumLength} element`, value);
    }
    // Not map(): it skips the holes of a sparse array.
    return Array.from(value, (element, index) => read(element, `${path}[${index}]`));
  };
}

/** Every field of `required` must be there, those of `optional` may, no other. */
function record<R extends object, O extends object = object>(
  required: {readonly [K in keyof R]: Reader<R[K]>},
  optional: {readonly [K in keyof O]: Reader<O[K]>} = {} as never,
): Reader<R & Partial<O>> {
  const readers = new Map<string, Reader<unknown>>([...Object.entries(required), ...Object.entries(optional)] as never);
  return (value, path) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw malformed(path, 'must be an object', value);
    }
    for (const name of Object.keys(required)) {
      if (!Object.hasOwn(value, name)) {
        throw new Malformed(`${join(path, name)}: is missing`);
      }
    }
    const result: Record<string, unknown> = {};
    for (const [name, member] of Object.entries(value)) {
      const read = readers.get(name);
      if (read === undefined) {
        throw new Malformed(`${join(path, name)}: is not a field that this version knows`);
      }
      result[name] = read(member, join(path, name));
    }
    return result as R & Partial<O>;
  };
}

function join(path: string, name: string): string {
  return path === '' ? name : `${path}.${name}`;
}

function malformed(path: string, rule: string, value: unknown): Malformed {
  const shown = typeof value === 'string' || typeof value === 'number' ? JSON.stringify(value) : typeof value;
  return new Malformed(`${path === '' ? 'bundle' : path}: ${rule}, not ${shown.slice(0, 64)}`);
}

const bool: Reader<boolean> = (value, path) => {
  if (typeof value !== 'boolean') {
    throw malformed(path, 'must be true or false', value);
  }
  return value;
};

const names = list(text);

const subject = record<Subject>(
  {kind: oneOf('User', 'Group', 'ServiceAccount'), name: nonEmptyText},
  {namespace: nonEmptyText},
) as Reader<Subject>;

const operationPattern = record<Pick<OperationPattern, 'verbs'>, Omit<OperationPattern, 'verbs'>>(
  {verbs: list(nonEmptyText, 1) as Reader<string[]>},
  {
    apiGroups: names as Reader<string[]>,
    resources: names as Reader<string[]>,
    subresources: names as Reader<string[]>,
    resourceNames: names as Reader<string[]>,
    namespaces: names as Reader<string[]>,
    nonResourceURLs: names as Reader<string[]>,
  },
);

const condition = record<RuleCondition>({name: text, expression: text});

const approval = record<BundleApproval>({
  approvers: record({groups: names, users: names}),
  count: integer(1),
  expireAfterSeconds: integer(0),
  grant: oneOf('Once', 'Window'),
  waitSeconds: integer(0),
});

const ruleFields = record<Omit<BundleRule, 'unmasked' | 'approval'>, {unmasked: boolean; approval: BundleApproval}>(
  {
    name: nonEmptyText,
    effect: oneOf('Allow', 'Deny', 'RequireApproval'),
    operations: list(operationPattern as Reader<OperationPattern>, 1),
    conditions: list(condition),
    message: text,
  },
  {unmasked: bool, approval},
);

const rule: Reader<BundleRule> = (value, path) => {
  const read = ruleFields(value, path);
  if ((read.effect === 'RequireApproval') !== (read.approval !== undefined)) {
    throw new Malformed(`${path}.approval: belongs to RequireApproval and to it alone`);
  }
  if (read.effect === 'Deny' && read.unmasked) throw new Malformed(`${path}.unmasked: does not belong to Deny`);
  return read;
};

const resources: {readonly [K in keyof BundleResources]: Reader<BundleResources[K]>} = {
  apiGroups: list(text, 1),
  resources: list(nonEmptyText, 1),
};

const exemption = record<object, Required<BundleExemption>>(
  {},
  {namespaces: names, resources: list(record(resources, {subresources: names})), fields: names},
);

const masking = record<Pick<BundleMasking, 'name' | 'detector'>, Required<Omit<BundleMasking, 'name' | 'detector'>>>(
  {name: text, detector: text},
  {
    show: text,
    longDigitRuns: bool,
    unexpected: bool,
    decode: names,
    regex: record({pattern: text}),
    field: record({resources: list(record(resources), 1), paths: list(text, 1)}, {action: text}),
    exemptions: list(exemption),
  },
);

const policy = record<BundlePolicy>({
  namespace: nonEmptyText,
  name: nonEmptyText,
  uid: text,
  generation: integer(0),
  enforcementMode: oneOf('Enforce', 'DryRun'),
  subjects: list(subject, 1),
  rules: list(rule),
  masking: list(masking),
  auditLevel: oneOf('Metadata', 'Request', 'RequestResponse'),
  recordInput: bool,
});

const bundle = record<Bundle>({
  schemaVersion: oneOf(1),
  revision: text,
  hash: text,
  rootNamespace: nonEmptyText,
  policies: list(policy),
});
