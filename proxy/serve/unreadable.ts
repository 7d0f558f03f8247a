import {type OutgoingMessage, STATUS_CODES} from 'node:http';
import type {Duplex} from 'node:stream';
import {failure} from '../../core/status.ts';

/** How long what the client was still sending is read and thrown away: a reset would overtake the answer. */
const lingerMilliseconds = 1_000;

/**
 * Answers what Node's parser cannot read as one HTTP/1 request (two lengths, a length beside a transfer coding, ...)
 * with a Status and ends the connection. There is no call yet that could be put on record.
 */
export function refuseUnreadable(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (socket.writableEnded) return;
  // Node's name for the response that a connection carries: an answer in the middle of one would be part of its body.
  const answering = (socket as {_httpMessage?: OutgoingMessage | null})._httpMessage?.headersSent;
  if (!socket.writable || error.code === 'ECONNRESET' || answering) {
    socket.destroy();
    return;
  }
  const {code, message} = verdict(error);
  const body = `${JSON.stringify(failure(code, message))}\n`;
  const head = [
    `HTTP/1.1 ${code} ${STATUS_CODES[code]}`,
    'content-type: application/json',
    `content-length: ${Buffer.byteLength(body)}`,
    'connection: close',
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`);
  setTimeout(() => socket.destroy(), lingerMilliseconds);
}

function verdict({code, message}: NodeJS.ErrnoException): {code: number; message: string} {
  switch (code) {
    case 'HPE_HEADER_OVERFLOW':
      return {code: 431, message: 'the headers of the request are too large'};
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return {code: 408, message: 'the request did not arrive in time'};
    default:
      return {code: 400, message: `the request cannot be read: ${message.replace(/^Parse Error: /, '')}`};
  }
}
