import type {UnexpectedPAN} from '../../core/audit/event.ts';
import {maskText} from '../../core/mask/createmasker.ts';
import type {Call} from './call.ts';

/** What the answer to a call held so far that policy calls unexpected; undefined where that is nothing. */
export function unexpectedPAN(call: Call): UnexpectedPAN | undefined {
  const {panUnexpectedIn: operation} = call;
  if (operation === undefined) return undefined;
  const {PAN: count, fields} = call.maskedCounts();
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
