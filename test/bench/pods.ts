/** One pod as a Deployment makes it and a kubelet fills in its status: about 2.2 KB of JSON. */
export function pod(index: number, namespace: string): object {
  const name = `checkout-7d9c5b8f6d-${index.toString(36).padStart(5, '0')}`;
  const hash = (index * 2654435761) >>> 0;
  const uid = `${hash.toString(16).padStart(8, '0')}-5f1c-4c7e-9a53-${(hash * 4099).toString(16).padStart(12, '0').slice(0, 12)}`;
  const time = '2026-07-14T09:15:27Z';
  const condition = (type: string) => ({type, status: 'True', lastProbeTime: null, lastTransitionTime: time});
  return {
    kind: 'Pod',
    apiVersion: 'v1',
    metadata: {
      name,
      generateName: 'checkout-7d9c5b8f6d-',
      namespace,
      uid,
      resourceVersion: String(1_000_000 + index),
      creationTimestamp: time,
      labels: {app: 'checkout', 'pod-template-hash': '7d9c5b8f6d', tier: 'frontend'},
      annotations: {
        'example.com/build': `build-${index}`,
        'prometheus.io/port': '9102',
        'prometheus.io/scrape': 'true',
      },
      ownerReferences: [
        {
          apiVersion: 'apps/v1',
          kind: 'ReplicaSet',
          name: 'checkout-7d9c5b8f6d',
          uid: '2f0a7a5e-9f6e-4b0e-8a57-3f1f0d6c2b11',
          controller: true,
          blockOwnerDeletion: true,
        },
      ],
    },
    spec: {
      volumes: [
        {
          name: 'kube-api-access-x7k2p',
          projected: {sources: [{serviceAccountToken: {expirationSeconds: 3607, path: 'token'}}], defaultMode: 420},
        },
      ],
      containers: [
        {
          name: 'checkout',
          image: 'registry.example.com/payments/checkout:1.4.2',
          ports: [{name: 'http', containerPort: 8080, protocol: 'TCP'}],
          env: [
            {name: 'LEDGER_URL', value: 'http://ledger.payments.svc:8080'},
            {name: 'LOG_LEVEL', value: 'info'},
          ],
          resources: {limits: {cpu: '500m', memory: '256Mi'}, requests: {cpu: '100m', memory: '128Mi'}},
          volumeMounts: [
            {name: 'kube-api-access-x7k2p', readOnly: true, mountPath: '/var/run/secrets/kubernetes.io/serviceaccount'},
          ],
          terminationMessagePath: '/dev/termination-log',
          terminationMessagePolicy: 'File',
          imagePullPolicy: 'IfNotPresent',
        },
      ],
      restartPolicy: 'Always',
      terminationGracePeriodSeconds: 30,
      dnsPolicy: 'ClusterFirst',
      nodeName: `node-${index % 40}`,
      schedulerName: 'default-scheduler',
    },
    status: {
      phase: 'Running',
      conditions: ['Ready', 'ContainersReady'].map(condition),
      hostIP: `10.0.${index % 40}.1`,
      podIP: `10.1.${(index >> 8) & 255}.${index & 255}`,
      startTime: time,
      containerStatuses: [
        {
          name: 'checkout',
          state: {running: {startedAt: time}},
          ready: true,
          restartCount: index % 3,
          image: 'registry.example.com/payments/checkout:1.4.2',
          imageID: `registry.example.com/payments/checkout@sha256:${hash.toString(16).padStart(8, '0').repeat(8)}`,
          containerID: `containerd://${(hash ^ 0x5bd1e995).toString(16).replace('-', '').padStart(8, '0').repeat(8)}`,
          started: true,
        },
      ],
      qosClass: 'Burstable',
    },
  };
}

/** A PodList of that many pods; 5,000 make about 11 MB. */
export function podList(count: number): Buffer {
  const items = Array.from({length: count}, (_, index) => pod(index, 'bench'));
  return Buffer.from(
    JSON.stringify({kind: 'PodList', apiVersion: 'v1', metadata: {resourceVersion: '1005000'}, items}),
  );
}
