import {Duplex} from 'node:stream';
import {WebSocket} from 'ws';
import {keepAlive} from './heartbeat.ts';

/** Close codes of RFC 6455, 7.4.1, that end a stream as its protocol says; 1005 is a close frame without a code. */
const orderly: ReadonlySet<number> = new Set([1000, 1001, 1005]);

/**
 * The bytes inside a WebSocket's binary messages as one stream each way, whatever messages they come in: the SPDY
 * connection of a tunnelled port-forward. It reads no further than its reader, and a write is done when the socket has
 * taken it. `end` closes the WebSocket with code 1000 behind what was written, `destroy` at once; a peer that ends in
 * any other way than by a close frame is an error.
 */
export function webSocketDuplex(socket: WebSocket, pingMilliseconds: number): Duplex {
  const stopPings = keepAlive(socket, pingMilliseconds);
  const duplex = new Duplex({
    // A WebSocket closes both ways at once.
    allowHalfOpen: false,
    read: () => socket.resume(),
    write: (chunk: Buffer, _encoding, callback) => socket.send(chunk, callback),
    writev(chunks, callback) {
      for (const [i, {chunk}] of chunks.entries()) {
        if (i === chunks.length - 1) socket.send(chunk, callback);
        else socket.send(chunk);
      }
    },
    final(callback) {
      // Paused, it would not read the answer.
      socket.resume();
      socket.close(1000);
      callback();
    },
    destroy(error, callback) {
      stopPings();
      socket.terminate();
      callback(error);
    },
  });
  socket.on('message', (data: Buffer, isBinary) => {
    if (duplex.destroyed) return;
    if (!isBinary) duplex.destroy(new Error('a text message, where bytes are tunnelled'));
    else if (data.length > 0 && !duplex.push(data)) socket.pause();
  });
  socket.on('error', (error) => duplex.destroy(error));
  const closed = (code: number) => {
    stopPings();
    if (orderly.has(code)) duplex.push(null);
    else duplex.destroy(new Error(code === 1006 ? 'the connection broke off' : `closed with code ${code}`));
  };
  if (socket.readyState === WebSocket.CLOSED) setImmediate(closed, 1006);
  else socket.once('close', closed);
  return duplex;
}
