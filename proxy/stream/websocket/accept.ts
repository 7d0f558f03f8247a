import type {IncomingMessage} from 'node:http';
import type {Socket} from 'node:net';
import {type WebSocket, WebSocketServer} from 'ws';
import {keepAliveMilliseconds, maximumMessageBytes} from './limits.ts';

/**
 * Answers the agent's request for a WebSocket with 101. It comes back paused, so that nothing is lost until somebody
 * listens.
 *
 * @param head what Node's `upgrade` event gave
 * @param protocol the one subprotocol to name; "" for none
 * @throws where the agent has gone, or its request is one that `webSocketRefusal` refuses; the socket is then destroyed
 */
export function acceptWebSocket(request: IncomingMessage, socket: Socket, head: Buffer, protocol: string): WebSocket {
  const server = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: maximumMessageBytes,
    autoPong: false,
  });
  let failure = new Error('the agent has gone');
  let accepted: WebSocket | undefined;
  server.on('wsClientError', (error) => {
    failure = error;
  });
  // ws refuses the slash in a tunnel's subprotocol, and would choose by itself.
  server.on('headers', (headers) => {
    if (protocol !== '') headers.push(`Sec-WebSocket-Protocol: ${protocol}`);
  });
  const {'sec-websocket-protocol': _, ...headers} = request.headers;
  server.handleUpgrade(Object.create(request, {headers: {value: headers}}), socket, head, (webSocket) => {
    webSocket.pause();
    webSocket.on('error', () => {});
    accepted = webSocket;
  });
  if (accepted === undefined) {
    socket.destroy();
    throw failure;
  }
  socket.setKeepAlive(true, keepAliveMilliseconds);
  return accepted;
}
