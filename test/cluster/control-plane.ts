import path from 'node:path';
import type {NodeNetwork} from './node/configuration.ts';

/** Where everything of one cluster lies: below its data directory. */
export interface ClusterFiles {
  readonly logs: string;
  readonly pki: string;
  readonly users: string;
  readonly kubectlCache: string;
  readonly adminKubeconfig: string;
  readonly controllerManagerKubeconfig: string;
  readonly schedulerKubeconfig: string;
  readonly auditPolicy: string;
  readonly auditLog: string;
  readonly description: string;
}

export function clusterFiles(dataDirectory: string): ClusterFiles {
  const below = (name: string): string => path.join(dataDirectory, name);
  return {
    logs: below('logs'),
    pki: below('pki'),
    users: below('users'),
    kubectlCache: below('kubectl-cache'),
    adminKubeconfig: below('admin.kubeconfig'),
    controllerManagerKubeconfig: below('controller-manager.kubeconfig'),
    schedulerKubeconfig: below('scheduler.kubeconfig'),
    auditPolicy: below('audit-policy.json'),
    auditLog: below('logs/audit.log'),
    description: below('cluster.json'),
  };
}

export const serviceAccountIssuer = 'https://kubernetes.default.svc';

// Unix sockets in the data directory, where the processes run: no port to collide, closed to other users. etcd insists
// on the form host:port; that is the socket's file name.
const etcdClientURL = 'unix://etcd:2379';
const etcdPeerURL = 'unix://etcd:2380';

export function etcdArguments(): readonly string[] {
  return [
    '--name=lockkeeper',
    '--data-dir=etcd',
    `--listen-client-urls=${etcdClientURL}`,
    `--advertise-client-urls=${etcdClientURL}`,
    `--listen-peer-urls=${etcdPeerURL}`,
    `--initial-advertise-peer-urls=${etcdPeerURL}`,
    `--initial-cluster=lockkeeper=${etcdPeerURL}`,
    '--unsafe-no-fsync',
    '--log-level=warn',
  ];
}

export interface ApiServerOptions {
  readonly address: string;
  readonly port: number;
  readonly audited: boolean;
  readonly network: NodeNetwork | undefined;
}

export function apiServerArguments({address, port, audited, network}: ApiServerOptions): readonly string[] {
  return [
    `--etcd-servers=${etcdClientURL}`,
    `--bind-address=${address}`,
    `--advertise-address=${address}`,
    `--secure-port=${port}`,
    '--tls-cert-file=pki/apiserver.crt',
    '--tls-private-key-file=pki/apiserver.key',
    '--client-ca-file=pki/ca.crt',
    '--authorization-mode=Node,RBAC',
    `--service-cluster-ip-range=${network?.serviceRange ?? '10.0.0.0/24'}`,
    '--endpoint-reconciler-type=none',
    '--allow-privileged',
    `--service-account-issuer=${serviceAccountIssuer}`,
    // The issuer's name resolves inside a cluster only; whoever reads its discovery document is outside.
    `--service-account-jwks-uri=${apiServerURL(address, port)}/openid/v1/jwks`,
    '--service-account-key-file=pki/service-account.pub',
    '--service-account-signing-key-file=pki/service-account.key',
    // The request-header CA is also the client CA: without the name every client certificate could claim any user.
    '--requestheader-client-ca-file=pki/ca.crt',
    '--requestheader-allowed-names=front-proxy',
    '--requestheader-username-headers=X-Remote-User',
    '--requestheader-group-headers=X-Remote-Group',
    '--requestheader-extra-headers-prefix=X-Remote-Extra-',
    '--proxy-client-cert-file=pki/front-proxy.crt',
    '--proxy-client-key-file=pki/front-proxy.key',
    ...(network
      ? [
          '--kubelet-preferred-address-types=InternalIP',
          '--kubelet-certificate-authority=pki/ca.crt',
          '--kubelet-client-certificate=pki/kubelet-client.crt',
          '--kubelet-client-key=pki/kubelet-client.key',
        ]
      : []),
    ...(audited
      ? ['--audit-policy-file=audit-policy.json', '--audit-log-path=logs/audit.log', '--audit-log-mode=blocking']
      : []),
  ];
}

export function apiServerURL(address: string, port: number): string {
  return new URL(`https://${address}:${port}`).origin;
}

/** No cloud is there to control; each controller more costs start-up time. */
const controllers = [
  'serviceaccount-controller',
  'root-ca-certificate-publisher-controller',
  'namespace-controller',
  'garbage-collector-controller',
  'clusterrole-aggregation-controller',
  'validatingadmissionpolicy-status-controller',
  'deployment-controller',
  'replicaset-controller',
];

const nodeControllers = [
  'node-lifecycle-controller',
  'pod-garbage-collector-controller',
  'daemonset-controller',
  'statefulset-controller',
  'job-controller',
];

export function controllerManagerArguments(node: boolean): readonly string[] {
  return [
    '--kubeconfig=controller-manager.kubeconfig',
    '--service-account-private-key-file=pki/service-account.key',
    '--root-ca-file=pki/ca.crt',
    `--controllers=${[...controllers, ...(node ? nodeControllers : [])].join(',')}`,
    '--use-service-account-credentials',
    '--leader-elect=false',
    '--secure-port=0',
  ];
}

export function schedulerArguments(): readonly string[] {
  return ['--kubeconfig=scheduler.kubeconfig', '--leader-elect=false', '--secure-port=0'];
}
