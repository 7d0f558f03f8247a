import {exactName} from './fieldselector.ts';
import {isLabelSelector} from './labelselector.ts';
import {firstValue, isInt64, isTrue, type QueryParameter} from './query.ts';

/** What RequestInfo takes from the query of a list or watch. */
export interface ListOptions {
  readonly watch: boolean;
  /** From the field selector; "" where it pins none. */
  readonly name: string;
}

/**
 * Reads the query as kube-apiserver decodes `ListOptions` for RequestInfo. Where any option does not decode, the name
 * is lost and only `watch` counts.
 */
export function readListOptions(query: readonly QueryParameter[]): ListOptions {
  const watch = firstValue(query, 'watch');
  const name = exactName(firstValue(query, 'fieldSelector') ?? '');
  if (
    name !== undefined &&
    decodes(query, 'labelSelector', isLabelSelector) &&
    decodes(query, 'limit', isInt64) &&
    decodes(query, 'timeoutSeconds', isInt64)
  ) {
    return {watch: isTrue(watch), name};
  }
  // Go lower-cases here where it folds case above: they part ways over a long s alone.
  return {watch: watch !== undefined && watch !== '0' && watch.toLowerCase() !== 'false', name: ''};
}

function decodes(query: readonly QueryParameter[], name: string, accepts: (value: string) => boolean): boolean {
  const value = firstValue(query, name);
  return value === undefined || accepts(value);
}
