import {once} from 'node:events';
import net from 'node:net';

/** Two ends of one connection, as an HTTP server has them behind an upgrade: each may end while the other goes on. */
export async function socketPair(): Promise<[net.Socket, net.Socket]> {
  const server = net.createServer({allowHalfOpen: true, noDelay: true}).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const ours = net.connect({
    port: (server.address() as net.AddressInfo).port,
    host: '127.0.0.1',
    allowHalfOpen: true,
    noDelay: true,
  });
  const [[theirs]] = (await Promise.all([once(server, 'connection'), once(ours, 'connect')])) as [
    [net.Socket],
    unknown,
  ];
  server.close();
  return [ours, theirs];
}
