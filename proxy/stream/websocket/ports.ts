import {parseQuery} from '../../../core/request/query.ts';

/** Two channels for each port, and channel 255 is none. */
const maximumPorts = 127;

/**
 * The ports that a port-forward without SPDY asks for, each as often and in the order that the query has it: lists
 * divided by commas, as the API server and the kubelet read them. Undefined where one is no port, there is none, or
 * there are more than channels.
 */
export function forwardedPorts(url: string): readonly number[] | undefined {
  const question = url.indexOf('?');
  const query = question === -1 ? '' : url.slice(question + 1);
  const texts = parseQuery(query)
    .filter(({name}) => name === 'ports')
    .flatMap(({value}) => value.split(','));
  const ports = texts.map((text) => (/^0*[0-9]{1,5}$/.test(text) ? Number(text) : 0));
  const usable = ports.length > 0 && ports.length <= maximumPorts && ports.every((port) => port > 0 && port < 65_536);
  return usable ? ports : undefined;
}
