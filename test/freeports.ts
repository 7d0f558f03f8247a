import net from 'node:net';

/** Ports of 127.0.0.1 that nobody listens on. */
export async function freePorts(): Promise<[number, number, number, number, number]> {
  const servers = Array.from({length: 5}, () => net.createServer());
  const ports = await Promise.all(
    servers.map(
      (server) =>
        new Promise<number>((resolve, reject) => {
          server.once('error', reject);
          server.listen(0, '127.0.0.1', () => resolve((server.address() as net.AddressInfo).port));
        }),
    ),
  );
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports as [number, number, number, number, number];
}
