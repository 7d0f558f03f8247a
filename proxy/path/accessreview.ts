import type {IncomingHttpHeaders} from 'node:http';
import type {Operation} from '../../core/request/operation.ts';
import {type Review, reviewAccess} from '../../core/review/access.ts';
import {namespaceOfReview} from '../../core/review/namespace.ts';
import {reviewRules} from '../../core/review/rules.ts';
import type {Dispatchable} from '../forward/forward.ts';
import {acceptsJSON} from '../forward/negotiate.ts';
import {receiveBody} from './body.ts';
import type {Call, Next} from './call.ts';
import type {DecisionDependencies} from './decision.ts';
import {Refusal} from './refusal.ts';

/** Of a review: all that it says is a few names. */
const maximumReviewBytes = 64 * 1024;
/** Of an answer, which lists every rule of RBAC that concerns the agent. */
const maximumAnswerBytes = 1024 * 1024;

/**
 * What an agent may do, it is told with policy taken into account: the API server's answers to SelfSubjectAccessReview
 * and SelfSubjectRulesReview, which know of RBAC alone, are narrowed.
 */
export function withAccessReview(
  deps: Pick<DecisionDependencies, 'bundles' | 'now'>,
  next: Next<Dispatchable>,
): Next<Dispatchable> {
  return (call, dispatchable) => {
    const review = reviewedBy(dispatchable.permitted.operation);
    return review === undefined ? next(call, dispatchable) : reviewed(call, dispatchable, review);
  };

  async function reviewed(call: Call, dispatchable: Dispatchable, review: 'Access' | 'Rules'): Promise<void> {
    switch (review) {
      case 'Access':
        return next(
          call,
          rewriting(call, dispatchable, (answer, review) => reviewAccess(answer, review)),
        );
      case 'Rules': {
        // The answer does not say which namespace it is about.
        const body = dispatchable.decided.body ?? (await receiveBody(call, maximumReviewBytes));
        const namespace = namespaceOfReview(body.content);
        if (namespace === undefined) {
          const message = 'the review asks about no namespace that could be read; send it as JSON';
          throw new Refusal('BodyUnreadable', 400, message);
        }
        const read = {...dispatchable, decided: {...dispatchable.decided, body}};
        return next(
          call,
          rewriting(call, read, ({status}, review) => reviewRules(status, namespace, review)),
        );
      }
    }
  }

  function rewriting(
    call: Call,
    dispatchable: Dispatchable,
    statusOf: (answer: Answer, review: Review) => object | undefined,
  ): Dispatchable {
    const {agent, operation} = dispatchable.permitted;
    if (!acceptsJSON(call.request.headers.accept)) {
      const message = `the answer to a review is given in JSON, and the request accepts only ${call.request.headers.accept}`;
      throw new Refusal('NotAcceptable', 406, message);
    }
    return {
      ...dispatchable,
      accept: 'application/json',
      rewrite: {
        maximumBytes: maximumAnswerBytes,
        applies: (statusCode) => statusCode === 201,
        body(bytes, headers) {
          const answer = bytes === undefined ? undefined : readAnswer(bytes, headers);
          // The policies in force now: the answer is about calls to come.
          const bundle = deps.bundles.current;
          const status = answer && bundle && statusOf(answer, {bundle, agent, asker: operation, now: deps.now()});
          if (status === undefined) {
            throw new Refusal('UpstreamUnavailable', 502, "the API server's answer to the review could not be read");
          }
          return Buffer.from(`${JSON.stringify({...answer, status})}\n`);
        },
      },
    };
  }
}

interface Answer {
  readonly spec?: unknown;
  readonly status?: unknown;
}

function reviewedBy({verb, apiGroup, resource, subresource}: Operation): 'Access' | 'Rules' | undefined {
  if (verb !== 'create' || apiGroup !== 'authorization.k8s.io' || subresource !== '') return undefined;
  switch (resource) {
    case 'selfsubjectaccessreviews':
      return 'Access';
    case 'selfsubjectrulesreviews':
      return 'Rules';
    default:
      return undefined;
  }
}

function readAnswer(bytes: Buffer, {'content-type': contentType}: IncomingHttpHeaders): Answer | undefined {
  if (contentType?.startsWith('application/json') !== true) return undefined;
  try {
    const answer: unknown = JSON.parse(bytes.toString());
    return typeof answer === 'object' && answer !== null ? answer : undefined;
  } catch {
    return undefined;
  }
}
