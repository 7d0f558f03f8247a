import {exactName} from '../request/fieldselector.ts';
import {type Asker, type Question, questionAboutPath, questionAboutResource} from './question.ts';

type Fields = Readonly<Record<string, unknown>>;

/**
 * Reads what a review asks about from the `spec` that the API server answered with, so that it means here what it means
 * there.
 *
 * Source: k8s.io/api authorization/v1, SelfSubjectAccessReviewSpec.
 *
 * @returns undefined where it asks about nothing that is known
 */
export function readQuestion(spec: unknown, asker: Asker): Question | undefined {
  const {resourceAttributes, nonResourceAttributes} = fields(spec);
  if (resourceAttributes !== undefined) {
    const asked = fields(resourceAttributes);
    const fieldSelector = selector(asked.fieldSelector, fieldRequirement);
    const verb = text(asked.verb);
    const pinned = verb === 'list' || verb === 'watch' ? exactName(fieldSelector) : undefined;
    return questionAboutResource(
      {
        verb,
        group: text(asked.group),
        version: text(asked.version),
        resource: text(asked.resource),
        subresource: text(asked.subresource),
        namespace: text(asked.namespace),
        name: text(asked.name) || (pinned ?? ''),
        fieldSelector,
        labelSelector: selector(asked.labelSelector, labelRequirement),
      },
      asker,
    );
  }
  if (nonResourceAttributes !== undefined) {
    const {path, verb} = fields(nonResourceAttributes);
    return questionAboutPath({verb: text(verb), path: text(path)}, asker);
  }
  return undefined;
}

/** A selector as a query would have it: as it was given, or written from its requirements. */
function selector(value: unknown, requirement: (of: Requirement) => string): string {
  const {rawSelector, requirements} = fields(value);
  if (typeof rawSelector === 'string' && rawSelector !== '') return rawSelector;
  if (!Array.isArray(requirements)) return '';
  return requirements
    .map((each) => {
      const {key, operator, values} = fields(each);
      return requirement({key: text(key), operator: text(operator), values: Array.isArray(values) ? values : []});
    })
    .join(',');
}

interface Requirement {
  readonly key: string;
  readonly operator: string;
  readonly values: readonly unknown[];
}

function labelRequirement({key, operator, values}: Requirement): string {
  switch (operator) {
    case 'In':
      return `${key} in (${values.join(',')})`;
    case 'NotIn':
      return `${key} notin (${values.join(',')})`;
    case 'DoesNotExist':
      return `!${key}`;
    default:
      return key;
  }
}

function fieldRequirement({key, operator, values}: Requirement): string {
  return `${key}${operator === 'NotIn' ? '!=' : '='}${values.map(String).join(',')}`;
}

function fields(value: unknown): Fields {
  return typeof value === 'object' && value !== null ? (value as Fields) : {};
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
