import type {Socket} from 'node:net';

/** An agent that waits for its upgrade has nothing to say yet. */
const maximumHeadBytes = 64 * 1024;

/**
 * The connection of an agent that asks to upgrade it, from the moment when Node let go of it until a stream takes it. It
 * is read meanwhile, because otherwise nobody would hear that the agent has gone while it waits for an approval.
 */
export class AgentConnection {
  readonly #socket: Socket;
  readonly #head: Buffer[] = [];
  #headBytes = 0;

  /** @param head what came behind the request */
  constructor(socket: Socket, head: Buffer) {
    this.#socket = socket;
    this.#received(head);
    socket.on('data', this.#received);
    socket.on('end', this.#ended);
  }

  /** Hands the connection over, paused, with what came in early. */
  take(): {readonly socket: Socket; readonly head: Buffer} {
    this.#socket.pause();
    this.#socket.removeListener('data', this.#received);
    this.#socket.removeListener('end', this.#ended);
    return {socket: this.#socket, head: Buffer.concat(this.#head)};
  }

  readonly #received = (bytes: Buffer): void => {
    this.#head.push(bytes);
    this.#headBytes += bytes.length;
    if (this.#headBytes > maximumHeadBytes) this.#socket.destroy();
  };

  readonly #ended = (): void => {
    this.#socket.destroy();
  };
}
