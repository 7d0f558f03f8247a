/** The configuration of what runs in a node, whose root init.sh makes: paths are the node's own, most the defaults. */
import path from 'node:path';
import {stringify} from 'yaml';

export const nodeName = 'lockkeeper-node';
/** Where Debian puts the CNI plugins. */
export const cniDirectory = '/usr/lib/cni';
export const pauseImage = 'lockkeeper.dev/pause:local';

/** The node's root directory, seen from this machine. */
export function nodeDisk(dataDirectory: string): string {
  return path.join(dataDirectory, 'node');
}

/** The addresses of one node's network, which is 198.18.<number>.0/24: of the block that RFC 2544 keeps for tests. */
export interface NodeNetwork {
  /**
   * This machine's end of the cable. It is the pods' default route and the address at which they reach the API server,
   * which listens here. It is also the first address of the range of Services, therefore the one of the Service
   * `kubernetes`: a client in a pod that is configured by its environment finds the API server although no kube-proxy
   * runs.
   */
  readonly hostAddress: string;
  /** Where the kubelet listens. */
  readonly nodeAddress: string;
  readonly serviceRange: string;
}

export function nodeNetwork(number: number): NodeNetwork {
  return {
    hostAddress: `198.18.${number}.1`,
    nodeAddress: `198.18.${number}.254`,
    serviceRange: `198.18.${number}.0/25`,
  };
}

/** Version 2 is read by containerd 1.6 (Debian 12) and by all that came after. */
export const containerdConfiguration = `version = 2
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "${pauseImage}"
  # Without CAP_SYS_RESOURCE, as in many virtual machines and containers, no sandbox starts otherwise.
  restrict_oom_score_adj = true
  # Its profile would be loaded into the machine's kernel, and stay.
  disable_apparmor = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "${cniDirectory}"
`;

/** The bridge is there already, with one end of the cable in it; pods join it. */
export function bridgeConfiguration(number: number): string {
  const {hostAddress: gateway} = nodeNetwork(number);
  const range = {
    subnet: `198.18.${number}.0/24`,
    rangeStart: `198.18.${number}.129`,
    rangeEnd: `198.18.${number}.253`,
    gateway,
  };
  return JSON.stringify({
    cniVersion: '0.4.0',
    name: 'lockkeeper',
    plugins: [
      {
        type: 'bridge',
        bridge: 'bridge0',
        ipam: {type: 'host-local', ranges: [[range]], routes: [{dst: '0.0.0.0/0'}]},
      },
    ],
  });
}

export function kubeletConfiguration(cgroup: string): string {
  return stringify({
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    kind: 'KubeletConfiguration',
    authentication: {
      anonymous: {enabled: false},
      webhook: {enabled: true},
      x509: {clientCAFile: '/etc/kubernetes/ca.crt'},
    },
    authorization: {mode: 'Webhook'},
    tlsCertFile: '/etc/kubernetes/kubelet.crt',
    tlsPrivateKeyFile: '/etc/kubernetes/kubelet.key',
    containerRuntimeEndpoint: 'unix:///run/containerd/containerd.sock',
    // All that it makes lies below one directory of the machine's cgroups, which is removed with the node.
    cgroupRoot: `/${cgroup}`,
    cgroupDriver: 'cgroupfs',
    enforceNodeAllocatable: [],
    failCgroupV1: false,
    failSwapOn: false,
    makeIPTablesUtilChains: false,
    resolvConf: '',
    volumePluginDir: '/var/lib/kubelet/volume-plugins',
    // The machine's disk is somebody else's: a full one evicts no pod.
    evictionHard: {
      'memory.available': '0%',
      'nodefs.available': '0%',
      'nodefs.inodesFree': '0%',
      'imagefs.available': '0%',
    },
    imageGCHighThresholdPercent: 100,
  });
}
