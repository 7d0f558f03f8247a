import {WebSocket} from 'ws';

/**
 * Pings one side while nothing else passes, so that no load balancer takes the connection for idle, and answers its
 * pings. Returns how to stop.
 *
 * Only while nothing passes: a server that closes with a ping unread resets its connection, and what it sent last is
 * lost with that where it was not read yet (RFC 2525, 2.17).
 *
 * A ping that nobody answers ends nothing: kubectl does not read while its terminal scrolls through a pager, the Python
 * client only when its caller asks. What finds a peer that is gone is the kernel, which gives the ping up unacknowledged.
 */
export function keepAlive(socket: WebSocket, pingMilliseconds: number): () => void {
  let idle = true;
  let unanswered: Buffer | undefined;
  let answering = false;
  // One pong at a time, for the latest ping (RFC 6455, 5.5.3): a peer that pings and does not read costs no memory.
  const answer = () => {
    answering = unanswered !== undefined && socket.readyState === WebSocket.OPEN;
    if (!answering) return;
    const data = unanswered;
    unanswered = undefined;
    socket.pong(data, undefined, answer);
  };
  const onPing = (data: Buffer) => {
    unanswered = data;
    if (!answering) answer();
  };
  const onMessage = () => {
    idle = false;
  };
  const timer = setInterval(() => {
    if (idle && socket.readyState === WebSocket.OPEN && !socket.isPaused && socket.bufferedAmount === 0) socket.ping();
    idle = true;
  }, pingMilliseconds);
  socket.on('ping', onPing);
  socket.on('message', onMessage);
  return () => {
    clearInterval(timer);
    socket.off('ping', onPing);
    socket.off('message', onMessage);
  };
}
