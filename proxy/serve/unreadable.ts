import {type IncomingMessage, type OutgoingMessage, STATUS_CODES} from 'node:http';
import type {Socket} from 'node:net';
import {Refusal} from '../path/refusal.ts';
import type {RecordUnreadable} from '../path/unreadable.ts';

/** How long what the client was still sending is read and thrown away: a reset would overtake the answer. */
const lingerMilliseconds = 1_000;

/** Node's name for the response that a connection carries. */
interface Answering {
  readonly _httpMessage?: (OutgoingMessage & {readonly req: IncomingMessage}) | null;
}

/**
 * Answers what Node's parser cannot read as one HTTP/1 request (two lengths, a length beside a transfer coding, ...)
 * with a Status and ends the connection. For the `clientError` event.
 */
export function refuseUnreadable(record: RecordUnreadable): (error: NodeJS.ErrnoException, socket: Socket) => void {
  const refused = new WeakSet<Socket>();
  return (error, socket) => {
    // The parser fails again on all that follows.
    if (refused.has(socket)) return;
    refused.add(socket);
    const response = (socket as Answering)._httpMessage;
    const nothingCame = error.code === 'ERR_HTTP_REQUEST_TIMEOUT' && socket.bytesRead === 0;
    // An answer in the middle of another one would be part of its body.
    if (!socket.writable || error.code === 'ECONNRESET' || response?.headersSent || nothingCame) {
      socket.destroy();
      return;
    }
    const refusal = refusalFor(error);
    if (response && !response.req.complete) {
      // It is the body of a call that cannot be read, and that call has a record of its own.
      end(socket, refusal);
      return;
    }
    // Behind a call that is under way: its answer goes first, and is the last.
    if (response) response.shouldKeepAlive = false;
    void record(refusal, socket.remoteAddress ?? '').then((told) => {
      if (!response) end(socket, told);
    });
  };
}

function end(socket: Socket, refusal: Refusal): void {
  const {httpStatus} = refusal;
  const body = `${JSON.stringify(refusal.status())}\n`;
  const head = [
    `HTTP/1.1 ${httpStatus} ${STATUS_CODES[httpStatus]}`,
    'content-type: application/json',
    `content-length: ${Buffer.byteLength(body)}`,
    'connection: close',
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`);
  setTimeout(() => socket.destroy(), lingerMilliseconds);
}

function refusalFor({code, message}: NodeJS.ErrnoException): Refusal {
  switch (code) {
    case 'HPE_HEADER_OVERFLOW':
      return new Refusal('Unreadable', 431, 'the headers of the request are too large');
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return new Refusal('Unreadable', 408, 'the request did not arrive in time');
    default:
      return new Refusal('Unreadable', 400, `the request cannot be read: ${message.replace(/^Parse Error: /, '')}`);
  }
}
