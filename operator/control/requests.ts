import type {AccessRequest} from '../../core/api/accessrequest.ts';
import type {AccessRequestState, ConsumeRequest, OpenRequest} from '../../core/control/messages.ts';
import type {AdmissionStanding} from '../admission/standing.ts';
import type {KubeClient, Store} from '../kube/client.ts';
import type {Clock} from '../kube/clock.ts';
import {KubeError} from '../kube/error.ts';
import type {BundlePublisher} from '../policy/publisher.ts';
import type {Announce} from '../request/announce.ts';
import {consumeAccessRequest} from '../request/consume.ts';
import {followAccessRequest, type Wait} from '../request/follow.ts';
import {type Opened, openAccessRequest} from '../request/open.ts';
import {parseAccessRequest} from '../request/parse.ts';
import {accessRequestPath} from '../request/state.ts';
import {type Caller, proxyIdentity, servesAgent} from './caller.ts';
import {Refusal} from './refusal.ts';

export interface AccessRequestServiceOptions {
  readonly client: Pick<KubeClient, 'get' | 'create' | 'update'>;
  readonly accessRequests: Store<AccessRequest>;
  readonly publisher: BundlePublisher;
  readonly admission: Pick<AdmissionStanding, 'standing'>;
  readonly announce: Announce;
  readonly clock: Clock;
}

/** What the control API does with AccessRequests, each within what concerns the caller. */
export interface AccessRequestService {
  open(caller: Caller, request: OpenRequest): Promise<Opened>;
  follow(caller: Caller, following: Following, gone: AbortSignal): Promise<AccessRequestState>;
  consume(caller: Caller, target: Target, request: ConsumeRequest): Promise<AccessRequestState>;
}

export interface Target {
  readonly namespace: string;
  readonly name: string;
}

export interface Following extends Wait {
  readonly target: Target;
}

export function createAccessRequestService(options: AccessRequestServiceOptions): AccessRequestService {
  const {client, accessRequests, publisher, admission, announce, clock} = options;
  const now = () => clock.now();

  async function read(caller: Caller, {namespace, name}: Target): Promise<AccessRequest> {
    let request: AccessRequest | undefined;
    try {
      request = parseAccessRequest(await client.get(accessRequestPath(namespace, name)));
    } catch (error) {
      if (!KubeError.hasCode(error, 404)) {
        throw error;
      }
    }
    // Another agent's request and one that does not exist must look the same to a sidecar.
    if (!request || !servesAgent(caller, request.spec.agent.username)) {
      throw new Refusal(
        'RequestNotFound',
        404,
        `There is no AccessRequest ${namespace}/${name} for ${caller.username}.`,
      );
    }
    return request;
  }

  return {
    open(caller, request) {
      const {username} = request.spec.agent;
      if (!servesAgent(caller, username)) {
        const message = `spec.agent.username must be ${caller.username}, the ServiceAccount of this sidecar; it is ${username}.`;
        throw new Refusal('OtherAgent', 403, message, {field: 'spec.agent.username'});
      }
      return openAccessRequest(request, {client, accessRequests, bundles: publisher, admission, now});
    },
    follow(caller, {target, ...wait}, gone) {
      const key = `${target.namespace}/${target.name}`;
      return followAccessRequest(key, () => read(caller, target), wait, gone, {accessRequests, admission, clock});
    },
    consume(caller, target, request) {
      const spending = {...request, proxy: proxyIdentity(caller, request.proxy)};
      return consumeAccessRequest(() => read(caller, target), spending, {client, admission, announce, now});
    },
  };
}
