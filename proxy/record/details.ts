import {maskText} from '../../core/mask/createmasker.ts';
import type {Agent} from '../../core/request/agent.ts';
import type {Operation} from '../../core/request/operation.ts';

/** Whose recording it is; what the agent chose is masked. */
export interface RecordingDetails {
  /** Leads back to the call's lines in the audit log. */
  readonly auditID: string;
  readonly agent: string;
  readonly namespace: string;
  readonly pod: string;
  /** `exec`, `attach` or `portforward`. */
  readonly subresource: string;
  /** "" where the agent left the choice to the API server. */
  readonly container: string;
  readonly command: readonly string[];
  readonly tty: boolean;
}

export function recordingDetails(auditID: string, agent: Agent, operation: Operation): RecordingDetails {
  return {
    auditID,
    agent: maskText(agent.username),
    namespace: maskText(operation.namespace),
    pod: maskText(operation.name),
    subresource: operation.subresource,
    container: maskText(operation.container),
    command: maskCommand(operation.command),
    tty: operation.tty,
  };
}

/** Also where a number was cut into arguments. Masking keeps lengths, so the arguments can be told apart again. */
function maskCommand(command: readonly string[]): string[] {
  const masked = maskText(command.map(maskText).join(' '));
  let start = 0;
  return command.map(({length}) => {
    const argument = masked.slice(start, start + length);
    start += length + 1;
    return argument;
  });
}
