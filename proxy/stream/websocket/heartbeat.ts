import {WebSocket} from 'ws';

/**
 * Pings one side, so that no load balancer takes the connection for idle, and answers its pings. Returns how to stop.
 *
 * A ping that nobody answers ends nothing: kubectl does not read while its terminal scrolls through a pager, the Python
 * client only when its caller asks. What finds a peer that is gone is the kernel, which gives the ping up unacknowledged.
 */
export function keepAlive(socket: WebSocket, pingMilliseconds: number): () => void {
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
  const timer = setInterval(() => {
    if (socket.readyState !== WebSocket.OPEN || socket.bufferedAmount > 0) return;
    socket.ping();
    // Its pings are not read now, and client-go gives up after a minute without a pong; one that nobody asked for counts.
    if (socket.isPaused) socket.pong();
  }, pingMilliseconds);
  socket.on('ping', onPing);
  return () => {
    clearInterval(timer);
    socket.off('ping', onPing);
  };
}
