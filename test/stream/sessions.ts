import type {
  CommandSession,
  ForwardedConnection,
  OutputChannel,
  OutputSink,
  PortForwardSession,
} from '../../proxy/stream/session.ts';

/** Lets everything pass, and keeps what it saw as text. */
export class OpenCommandSession implements CommandSession {
  congested = false;
  onDrain = () => {};
  readonly seen = {stdout: '', stderr: '', error: '', stdin: '', resize: [] as string[]};
  readonly ended: OutputChannel[] = [];
  /** Whether what passes is kept. */
  keeps = true;

  output(channel: OutputChannel, sink: OutputSink) {
    return {
      push: (bytes: Buffer) => {
        if (this.keeps) this.seen[channel] += bytes.toString();
        sink.emit(bytes);
      },
      end: () => {
        this.ended.push(channel);
        sink.ended();
      },
    };
  }

  stdin(bytes: Buffer): void {
    if (this.keeps) this.seen.stdin += bytes.toString();
  }

  resize(message: Buffer): void {
    this.seen.resize.push(message.toString());
  }
}

export interface SeenConnection {
  readonly port: number;
  sentBytes: number;
  receivedBytes: number;
  message: string;
  /** Undefined while it is open, `''` where it ended well. */
  closed: string | undefined;
}

/** Lets everything pass, and counts. */
export class OpenPortForwardSession implements PortForwardSession {
  congested = false;
  onDrain = () => {};
  readonly connections: SeenConnection[] = [];

  connection(port: number): ForwardedConnection {
    const seen: SeenConnection = {port, sentBytes: 0, receivedBytes: 0, message: '', closed: undefined};
    this.connections.push(seen);
    return {
      output: (channel, sink) => ({
        push: (bytes) => {
          if (channel === 'data') seen.receivedBytes += bytes.length;
          else seen.message += bytes.toString();
          sink.emit(bytes);
        },
        end: () => sink.ended(),
      }),
      sent: (bytes) => {
        seen.sentBytes += bytes;
      },
      closed: (error) => {
        if (seen.closed !== undefined) throw new Error('closed twice');
        seen.closed = error ?? '';
      },
    };
  }
}
