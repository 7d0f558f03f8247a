import type {Checkpoint} from '../../core/control/messages.ts';

export interface CheckpointOptions {
  /** The chain's last durable line, see `AuditLog.head`. */
  readonly head: () => Checkpoint | undefined;
  /** Gives a checkpoint to the operator; rejects where it was not taken, within a time of its own. */
  readonly send: (checkpoint: Checkpoint) => Promise<void>;
  readonly intervalMilliseconds: number;
  readonly hooks: {
    sent(checkpoint: Checkpoint): void;
    /** Tried again with the head of the next interval. */
    failed(error: unknown): void;
  };
}

/**
 * Sends the head of the chain to the operator each interval in which it moved, so that a cut tail or a rewritten chain
 * shows. No call ever waits for it.
 *
 * @returns `stop`, which sends a last one where the head moved since.
 */
export function startCheckpoints(options: CheckpointOptions): {stop(): Promise<void>} {
  const {head, send, intervalMilliseconds, hooks} = options;
  let sentHash: string | undefined;
  let sending: Promise<void> | undefined;

  const sendHead = async () => {
    const checkpoint = head();
    if (checkpoint === undefined || checkpoint.hash === sentHash) return;
    try {
      await send(checkpoint);
    } catch (error) {
      hooks.failed(error);
      return;
    }
    sentHash = checkpoint.hash;
    hooks.sent(checkpoint);
  };

  const timer = setInterval(() => {
    sending ??= sendHead().finally(() => {
      sending = undefined;
    });
  }, intervalMilliseconds);

  return {
    async stop() {
      clearInterval(timer);
      await sending;
      await sendHead();
    },
  };
}
