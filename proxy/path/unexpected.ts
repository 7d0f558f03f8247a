import type {UnexpectedPAN} from '../../core/audit/event.ts';
import {sumOf} from '../../core/mask/counts.ts';
import {maskText} from '../../core/mask/createmasker.ts';
import type {Call} from './call.ts';

/** What the answer to a call held so far that policy calls unexpected; undefined where that is nothing. */
export function unexpectedPAN({masked, panUnexpectedIn: operation}: Call): UnexpectedPAN | undefined {
  if (operation === undefined) return undefined;
  const {PAN: count, fields} = sumOf(masked.map(({counts}) => counts));
  if (count === 0) return undefined;
  const {isResourceRequest, path, apiGroup, resource, subresource, namespace, name} = operation;
  const group = apiGroup === '' ? '' : `.${apiGroup}`;
  const ofResource = `${resource}${group}${subresource === '' ? '' : `/${subresource}`}`;
  return {
    resource: maskText(isResourceRequest ? ofResource : path),
    namespace: maskText(namespace),
    name: maskText(name),
    count,
    fields: [...(fields?.PAN?.keys() ?? [])].map(maskText),
  };
}
