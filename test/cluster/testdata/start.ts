/** Starts a cluster, says where it is, and waits to be killed. */
import {startCluster} from '../start.ts';

const cluster = await startCluster();
process.stdout.write(`${JSON.stringify({dataDirectory: cluster.dataDirectory, serverURL: cluster.serverURL})}\n`);
setInterval(() => {}, 60_000);
