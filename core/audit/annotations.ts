/** Every annotation of ours in an audit event. Values are strings; lists and maps are JSON text. */
export const annotation = {
  /** `Allowed`, `Denied`, `NeedsApproval`, or `Refused`: turned away before policy was asked. */
  decision: 'lockkeeper.dev/decision',
  /** `namespace/name` of the policy that decided, `builtin` for the built-in rule; several with `, ` between. */
  policy: 'lockkeeper.dev/policy',
  /** The rule of that policy; several with `, ` between, in the order of the policies. */
  rule: 'lockkeeper.dev/rule',
  /** The rule's message, or why the call was denied. */
  reason: 'lockkeeper.dev/reason',
  /** The CEL error for which the rule counted as a match. */
  ruleError: 'lockkeeper.dev/rule-error',
  /** Revision of the policies that decided. */
  bundleRevision: 'lockkeeper.dev/bundle-revision',
  /** `namespace/name` of the AccessRequest that was opened, joined or spent; several with `, ` between. */
  accessRequest: 'lockkeeper.dev/access-request',
  /** Who decided on the AccessRequests: a list. */
  approvers: 'lockkeeper.dev/approvers',
  /** What policies in DryRun would have done: a list of `{effect, policy, rule, message}`. */
  dryRun: 'lockkeeper.dev/dry-run',
  /** Values masked in the response, by detector: `{"PAN": 3}`. In the outcome only. */
  masked: 'lockkeeper.dev/masked',
  /** The same by the name of the member that it stood in, as far as that is known: `{"PAN": {"card": 2}}`. In the outcome only. */
  maskedFields: 'lockkeeper.dev/masked-fields',
  /** Card numbers in an answer where policy expects none: `{resource, namespace, name, count, fields}`. In the outcome only. */
  panUnexpected: 'lockkeeper.dev/pan-unexpected',
  /** `true` where the rule that decided lifts masking, of all policies or of those of its namespace. */
  unmasked: 'lockkeeper.dev/unmasked',
  /** The file in the proxy's recording directory that holds the stream: `YYYY-MM-DD/` and the audit ID. */
  recording: 'lockkeeper.dev/recording',
  /** SHA-256 of the whole recording, lower-case hex. In the outcome only. */
  recordingSHA256: 'lockkeeper.dev/recording-sha256',
  /** Length of the whole recording in bytes. In the outcome only. */
  recordingBytes: 'lockkeeper.dev/recording-bytes',
  /** Why a call was not carried out, or was ended: the stable code of the refusal. In the outcome only. */
  refusal: 'lockkeeper.dev/refusal',
  /** What went wrong on the way. In the outcome only. */
  error: 'lockkeeper.dev/error',
  /** Bytes of an unfinished line that were cut off when the log was opened again. */
  tornBytes: 'lockkeeper.dev/log-torn-bytes',
  /** Outcome lines that were lost while the log could not be written. */
  droppedLines: 'lockkeeper.dev/log-dropped-lines',
  /** Names the hash chain that the line belongs to: one for each proxy and log. */
  chainOrigin: 'lockkeeper.dev/chain-origin',
  /** Counts the lines of the chain, from 0. */
  chainSequence: 'lockkeeper.dev/chain-sequence',
  /** The hash of the line before; 64 zeros in the first. */
  chainPrevious: 'lockkeeper.dev/chain-previous',
  /** SHA-256 over every byte of the line before this annotation. */
  chainHash: 'lockkeeper.dev/chain-hash',
  /** `true` where a body was too large for the record and was left out; kube-apiserver's own name for it. */
  truncated: 'audit.k8s.io/truncated',
} as const;
