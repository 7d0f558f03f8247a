/** The resources of Kubernetes 1.36 that are in no namespace, by group; "*" where all of a group are. */
const clusterScoped: Readonly<Record<string, readonly string[]>> = {
  '': ['componentstatuses', 'namespaces', 'nodes', 'persistentvolumes'],
  'admissionregistration.k8s.io': ['*'],
  'apiextensions.k8s.io': ['*'],
  'apiregistration.k8s.io': ['*'],
  'authentication.k8s.io': ['*'],
  'authorization.k8s.io': ['selfsubjectaccessreviews', 'selfsubjectrulesreviews', 'subjectaccessreviews'],
  'certificates.k8s.io': ['certificatesigningrequests', 'clustertrustbundles'],
  'flowcontrol.apiserver.k8s.io': ['*'],
  'internal.apiserver.k8s.io': ['*'],
  'metrics.k8s.io': ['nodes'],
  'networking.k8s.io': ['ingressclasses', 'ipaddresses', 'servicecidrs'],
  'node.k8s.io': ['*'],
  'rbac.authorization.k8s.io': ['clusterrolebindings', 'clusterroles'],
  'resource.k8s.io': ['deviceclasses', 'devicetaintrules', 'resourceslices'],
  'scheduling.k8s.io': ['priorityclasses'],
  'storage.k8s.io': ['csidrivers', 'csinodes', 'storageclasses', 'volumeattachments', 'volumeattributesclasses'],
  'storagemigration.k8s.io': ['*'],
};

/**
 * Whether a built-in resource is in no namespace. A review may name one all the same, as kubectl does with that of its
 * context; of other resources the proxy knows no scope, and believes what was asked.
 */
export function isClusterScoped(apiGroup: string, resource: string): boolean {
  const resources = Object.hasOwn(clusterScoped, apiGroup) ? clusterScoped[apiGroup] : undefined;
  return resources !== undefined && (resources.includes('*') || resources.includes(resource));
}
