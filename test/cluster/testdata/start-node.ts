/** Starts a cluster with a node and a pod on it, says where it is, and waits to be killed. */
import {startPod} from '../node/pod.ts';
import {startCluster} from '../start.ts';

const cluster = await startCluster({node: true});
await startPod(cluster, {namespace: 'default', name: 'box'});
process.stdout.write(`${JSON.stringify({dataDirectory: cluster.dataDirectory})}\n`);
setInterval(() => {}, 60_000);
