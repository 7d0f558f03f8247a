/** What went wrong with the local cluster; the message is one sentence for the person who started it. */
export class ClusterError extends Error {
  readonly code:
    | 'BinariesUnavailable'
    | 'BuildFailed'
    | 'DataDirectoryNotEmpty'
    | 'KubectlFailed'
    | 'NodeUnavailable'
    | 'NotReady'
    | 'PortInUse'
    | 'ProcessExited';

  constructor(code: ClusterError['code'], message: string, cause?: unknown) {
    super(message, {cause});
    this.name = 'ClusterError';
    this.code = code;
  }
}
