import type {AccessRequestPhase} from '../../core/control/messages.ts';
import {readName, readNamespace, readPhase, readProxyID} from './parse.ts';
import {Refusal} from './refusal.ts';
import type {Target} from './requests.ts';

/** Twice the longest `wait` that a policy may have (5m). */
const maximumWaitSeconds = 600;

/** The routes of core/control/messages.ts with their parameters read. */
export type Route =
  | {readonly name: 'bundle'; readonly proxy: string}
  | {readonly name: 'acknowledge'}
  | {readonly name: 'open'}
  | {
      readonly name: 'follow';
      readonly target: Target;
      readonly waitSeconds: number;
      /** The phase that the caller knows and waits for the end of. */
      readonly phase: AccessRequestPhase;
    }
  | {readonly name: 'consume'; readonly target: Target}
  | {readonly name: 'checkpoint'};

/** What a method and a request target ask for; refused with 404, 405 or 400 where that is nothing. */
export function routeOf(method: string, requestTarget: string): Route {
  const url = parseTarget(requestTarget);
  const segments = url.pathname.split('/').slice(1);
  const [version, collection, namespace, name, action] = segments;
  const route = `${version}/${collection}/${segments.length}`;
  switch (route) {
    case 'v1/bundle/2':
      expectMethod(method, 'GET');
      return {name: 'bundle', proxy: readProxyID(url.searchParams.get('proxy') ?? undefined, 'proxy')};
    case 'v1/acknowledgements/2':
      expectMethod(method, 'POST');
      return {name: 'acknowledge'};
    case 'v1/checkpoints/2':
      expectMethod(method, 'POST');
      return {name: 'checkpoint'};
    case 'v1/accessrequests/2':
      expectMethod(method, 'POST');
      return {name: 'open'};
    case 'v1/accessrequests/4':
      expectMethod(method, 'GET');
      return {
        name: 'follow',
        target: targetOf(namespace, name),
        waitSeconds: waitSecondsOf(url.searchParams),
        phase: readPhase(url.searchParams.get('phase') ?? 'Pending', 'phase'),
      };
    case 'v1/accessrequests/5':
      if (action === 'consume') {
        expectMethod(method, 'POST');
        return {name: 'consume', target: targetOf(namespace, name)};
      }
  }
  throw new Refusal('RouteUnknown', 404, `The control API has no ${url.pathname}.`);
}

function parseTarget(requestTarget: string): URL {
  const url = URL.parse(requestTarget, 'https://operator.invalid');
  // A target such as "//host/path" would be read as another host.
  if (!url || !requestTarget.startsWith('/') || requestTarget.startsWith('//')) {
    throw new Refusal('RouteUnknown', 404, 'The request target must be a path.');
  }
  return url;
}

function expectMethod(given: string, wanted: string): void {
  if (given !== wanted) {
    throw new Refusal('MethodUnknown', 405, `The method must be ${wanted}; it is ${given}.`);
  }
}

/** The names become part of a path at the API server, so nothing but DNS names gets through. */
function targetOf(namespace: string | undefined, name: string | undefined): Target {
  return {namespace: readNamespace(namespace, 'namespace'), name: readName(name, 'name')};
}

function waitSecondsOf(query: URLSearchParams): number {
  const given = query.get('waitSeconds') ?? '0';
  const seconds = /^\d{1,5}$/.test(given) ? Number(given) : Number.NaN;
  if (!(seconds <= maximumWaitSeconds)) {
    const message = `waitSeconds must be a whole number from 0 to ${maximumWaitSeconds}; it is ${given}.`;
    throw new Refusal('FieldInvalid', 400, message, {field: 'waitSeconds'});
  }
  return seconds;
}
