import type {Cluster} from '../cluster.ts';
import {busyboxImage} from './images.ts';

export interface PodOptions {
  readonly namespace: string;
  readonly name: string;
  /** Fields of v1 Container; the image is busybox and the command `sleep` unless given. One named `main` when absent. */
  readonly containers?: readonly PodContainer[];
}

export interface PodContainer {
  readonly name: string;
  readonly [field: string]: unknown;
}

const readySeconds = 60;

/** Creates a pod of a cluster with a node and waits until it is Ready. Deleting it takes no grace period. */
export async function startPod(cluster: Cluster, options: PodOptions): Promise<void> {
  const {namespace, name, containers = [{name: 'main'}]} = options;
  const pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {namespace, name},
    spec: {
      terminationGracePeriodSeconds: 0,
      containers: containers.map((container) => ({
        image: busyboxImage,
        // There is no registry: an image is on the node or nowhere.
        imagePullPolicy: 'Never',
        command: ['sleep', '2147483647'],
        ...container,
      })),
    },
  };
  await cluster.mustKubectl(['create', '--filename=-'], {input: JSON.stringify(pod)});
  const wait = [
    'wait',
    `--namespace=${namespace}`,
    `pod/${name}`,
    '--for=condition=Ready',
    `--timeout=${readySeconds}s`,
  ];
  await cluster.mustKubectl(wait);
}
