import type {Agent} from '../core/request/agent.ts';
import type {Operation} from '../core/request/operation.ts';

/** `list pods in namespace payments`, with what differs. */
export function operation(differing: Partial<Operation> = {}): Operation {
  return {
    isResourceRequest: true,
    path: '/api/v1/namespaces/payments/pods',
    verb: 'list',
    apiPrefix: 'api',
    apiGroup: '',
    apiVersion: 'v1',
    namespace: 'payments',
    resource: 'pods',
    subresource: '',
    name: '',
    parts: ['pods'],
    fieldSelector: '',
    labelSelector: '',
    method: 'GET',
    requestURI: '/api/v1/namespaces/payments/pods',
    query: '',
    dryRun: false,
    command: [],
    container: '',
    stdin: false,
    tty: false,
    userAgent: 'kubectl/v1.36.3',
    sourceIP: '192.0.2.7',
    ...differing,
  };
}

export function agent(differing: Partial<Agent> = {}): Agent {
  return {
    username: 'agent:build-bot',
    uid: '42',
    groups: ['ai-agents'],
    extra: {},
    issuer: 'https://issuer.example.com',
    claims: {},
    serviceAccount: undefined,
    expiresAtMilliseconds: 0,
    ...differing,
  };
}
