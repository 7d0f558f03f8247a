import {expect, test} from '@jest/globals';
import {forwardedPorts} from './ports.ts';

const path = '/api/v1/namespaces/a/pods/b/portforward';

test.each([
  ['one', '?ports=80', [80]],
  ['a list', '?ports=80,443', [80, 443]],
  ['several lists', '?ports=80,443&x=1&ports=8080', [80, 443, 8080]],
  ['one twice, each a connection', '?ports=80,80', [80, 80]],
  ['zeros in front', '?ports=0080', [80]],
  ['an encoded list', '?ports=80%2C443', [80, 443]],
  ['the last', '?ports=65535', [65535]],
  ['no query', '', undefined],
  ['none', '?port=80', undefined],
  ['an empty one', '?ports=', undefined],
  ['an empty one in a list', '?ports=80,,443', undefined],
  ['zero', '?ports=0', undefined],
  ['one past the last', '?ports=65536', undefined],
  ['a sign', '?ports=%2B80', undefined],
  ['a name', '?ports=http', undefined],
  ['as many as there are channels', `?ports=${Array(127).fill('1')}`, Array(127).fill(1)],
  ['one more', `?ports=${Array(128).fill('1')}`, undefined],
])('%s', (_, query, ports) => expect(forwardedPorts(path + query)).toEqual(ports));
