import type {Operation} from '../../core/request/operation.ts';

/** Whether the answer lasts until somebody ends it. Source: kube-apiserver's long-running request check. */
export function isLongRunning(operation: Operation): boolean {
  if (operation.verb === 'watch') return true;
  if (operation.subresource !== 'log' || operation.query === '') return false;
  const follow = new URLSearchParams(operation.query).get('follow');
  // As the API server reads a boolean option: present and neither "0" nor "false".
  return follow !== null && follow !== '0' && follow.toLowerCase() !== 'false';
}
