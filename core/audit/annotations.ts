/** Every annotation of ours in an audit event. Values are strings; lists and maps are JSON text. */
export const annotation = {
  decision: 'lockkeeper.dev/decision',
  policy: 'lockkeeper.dev/policy',
  rule: 'lockkeeper.dev/rule',
  reason: 'lockkeeper.dev/reason',
  ruleError: 'lockkeeper.dev/rule-error',
  bundleRevision: 'lockkeeper.dev/bundle-revision',
  accessRequest: 'lockkeeper.dev/access-request',
  approvers: 'lockkeeper.dev/approvers',
  dryRun: 'lockkeeper.dev/dry-run',
  masked: 'lockkeeper.dev/masked',
  /** Why a call was not carried out: the stable code of the refusal. */
  refusal: 'lockkeeper.dev/refusal',
  error: 'lockkeeper.dev/error',
  /** Bytes of an unfinished line that were cut off when the log was opened again. */
  tornBytes: 'lockkeeper.dev/log-torn-bytes',
  /** Outcome lines that were lost while the log could not be written. */
  droppedLines: 'lockkeeper.dev/log-dropped-lines',
  chainOrigin: 'lockkeeper.dev/chain-origin',
  chainSequence: 'lockkeeper.dev/chain-sequence',
  chainPrevious: 'lockkeeper.dev/chain-previous',
  chainHash: 'lockkeeper.dev/chain-hash',
  /** The name kube-apiserver's truncating backend uses. */
  truncated: 'audit.k8s.io/truncated',
} as const;
