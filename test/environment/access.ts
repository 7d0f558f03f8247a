import type {Cluster} from '../cluster/cluster.ts';

/** What the environment needs of a cluster: one that the tests started, or one that a kubeconfig names. */
export type ClusterAccess = Pick<
  Cluster,
  | 'serverURL'
  | 'ca'
  | 'kubeconfigPath'
  | 'kubectlPath'
  | 'kubectl'
  | 'mustKubectl'
  | 'serviceAccountToken'
  | 'serviceAccountIssuer'
>;
