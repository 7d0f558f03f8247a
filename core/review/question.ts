import type {Operation} from '../request/operation.ts';
import {isClusterScoped} from './clusterscope.ts';

/** What an access review asks about. */
export interface Question {
  /** "*" as verb, group, resource or subresource asks for all, and so does a path that ends in it. */
  readonly operation: Operation;
  /** Fields of `request` that a review does not carry. */
  readonly unknown: ReadonlySet<string>;
}

/** Who asks from where: what a review has in common with the call that it asks about. */
export type Asker = Pick<Operation, 'userAgent' | 'sourceIP'>;

/** As in `ResourceAttributes` of authorization.k8s.io/v1; selectors as a query has them. */
export interface ResourceAttributes {
  readonly verb: string;
  readonly group: string;
  readonly version: string;
  readonly resource: string;
  readonly subresource: string;
  readonly namespace: string;
  readonly name: string;
  readonly fieldSelector: string;
  readonly labelSelector: string;
}

export interface NonResourceAttributes {
  readonly verb: string;
  readonly path: string;
}

/** Verbs of which the path names no object. */
const namelessVerbs: ReadonlySet<string> = new Set(['create', 'deletecollection', 'list', 'watch']);

/** Subresources whose options policy sees, and a review does not say. */
const commands: ReadonlySet<string> = new Set(['attach', 'exec', '*']);

/** A question about a resource, as policy would see the call. A review asks about the real thing: no dry run. */
export function questionAboutResource(asked: ResourceAttributes, {userAgent, sourceIP}: Asker): Question {
  const {verb, group, version, resource, subresource} = asked;
  const unknown = new Set(['path', 'query']);
  const name = asked.name === '*' ? '' : asked.name;
  if (version === '' || version === '*') unknown.add('apiVersion');
  if (name === '' && !namelessVerbs.has(verb)) unknown.add('name');
  if (verb === '*') unknown.add('verb');
  if (group === '*') unknown.add('apiGroup');
  if (resource === '*') unknown.add('resource');
  if (resource === '*' || subresource === '*') unknown.add('subresource');
  if (resource === '*' || commands.has(subresource)) {
    for (const field of ['command', 'container', 'stdin', 'tty']) unknown.add(field);
  }
  return {
    unknown,
    operation: {
      ...nothing,
      userAgent,
      sourceIP,
      isResourceRequest: true,
      verb,
      apiPrefix: group === '' ? 'api' : 'apis',
      apiGroup: group,
      apiVersion: version,
      namespace: namespaceOf(asked),
      resource,
      subresource,
      name,
      parts: [resource, name, subresource],
      fieldSelector: asked.fieldSelector,
      labelSelector: asked.labelSelector,
    },
  };
}

/** A question about a path that is no resource. */
export function questionAboutPath({verb, path}: NonResourceAttributes, {userAgent, sourceIP}: Asker): Question {
  return {unknown: new Set(['query']), operation: {...nothing, userAgent, sourceIP, verb, path}};
}

/** Where RequestInfo finds the call: a namespace itself is in itself. */
function namespaceOf({group, resource, namespace, name}: ResourceAttributes): string {
  if (resource === 'namespaces') return name === '*' ? '' : name;
  return isClusterScoped(group, resource) ? '' : namespace;
}

const nothing: Operation = {
  isResourceRequest: false,
  path: '',
  verb: '',
  apiPrefix: '',
  apiGroup: '',
  apiVersion: '',
  namespace: '',
  resource: '',
  subresource: '',
  name: '',
  parts: [],
  fieldSelector: '',
  labelSelector: '',
  method: '',
  requestURI: '',
  query: '',
  dryRun: false,
  command: [],
  container: '',
  stdin: false,
  tty: false,
  userAgent: '',
  sourceIP: '',
};
