import {expect, test} from '@jest/globals';
import fc from 'fast-check';
import {commandProtocols, portForwardProtocols, relayableSubprotocols, tunnelProtocol} from './protocols.ts';

const token = `base64url.bearer.authorization.k8s.io.${Buffer.from('secret').toString('base64url')}`;
const tunnel = new Set([tunnelProtocol]);

test.each([
  ['nothing offered', undefined, commandProtocols, []],
  ['what kubectl offers', 'v5.channel.k8s.io', commandProtocols, ['v5.channel.k8s.io']],
  [
    'several, in the order of the client',
    'v4.channel.k8s.io,v5.channel.k8s.io, channel.k8s.io',
    commandProtocols,
    ['v4.channel.k8s.io', 'v5.channel.k8s.io', 'channel.k8s.io'],
  ],
  ['a token beside', `${token}, base64.channel.k8s.io`, commandProtocols, ['base64.channel.k8s.io']],
  ['one that is not known', 'v6.channel.k8s.io, v5.channel.k8s.io', commandProtocols, ['v5.channel.k8s.io']],
  ['one twice', 'v5.channel.k8s.io, v5.channel.k8s.io', commandProtocols, ['v5.channel.k8s.io']],
  ['only what is not known', 'v6.channel.k8s.io', commandProtocols, undefined],
  ['versions that only SPDY has', 'v2.channel.k8s.io, v3.channel.k8s.io', commandProtocols, undefined],
  ['an empty list, which Go takes for the oldest protocol', ',', commandProtocols, undefined],
  ['a token alone', token, commandProtocols, undefined],
  ['a command where ports are forwarded', 'v5.channel.k8s.io', portForwardProtocols, undefined],
  ['a tunnel', tunnelProtocol, tunnel, [tunnelProtocol]],
  ['another tunnel', 'SPDY/3.1+other.k8s.io', tunnel, undefined],
])('%s', (_, header, known, relayable) => {
  expect(relayableSubprotocols(header, known)).toEqual(relayable);
});

test('nothing that is not known goes to the API server', () => {
  const entry = fc.oneof(fc.constantFrom(...commandProtocols.keys(), token, tunnelProtocol), fc.string());
  fc.assert(
    fc.property(fc.array(entry), (entries) => {
      for (const protocol of relayableSubprotocols(entries.join(', '), commandProtocols) ?? []) {
        expect(commandProtocols.has(protocol)).toBe(true);
      }
    }),
  );
});
