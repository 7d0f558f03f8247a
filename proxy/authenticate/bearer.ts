import type {IncomingHttpHeaders} from 'node:http';
import {asksForWebSocket, subprotocols} from '../../core/request/websocket.ts';
import {AuthenticationError} from './errors.ts';

/**
 * Takes the bearer token from `Authorization` (RFC 6750) or, for WebSockets, from `Sec-WebSocket-Protocol`
 * (k8s.io/apiserver, pkg/authentication/request/websocket). It must come in one place and once.
 *
 * @throws {AuthenticationError} where there is none, more than one, or what is there is no bearer token
 */
export function bearerToken(headers: IncomingHttpHeaders): string {
  const {bearers, offered} = subprotocols(headers['sec-websocket-protocol']);
  const {authorization} = headers;
  if (authorization === undefined) {
    const [encoded, ...more] = bearers;
    if (more.length > 0) throw twoTokens();
    if (encoded === undefined || !asksForWebSocket(headers)) {
      throw new AuthenticationError('NoToken', 'no bearer token: send the header Authorization: Bearer <token>');
    }
    if (offered.length === 0) {
      // The answer must name one of the subprotocols, and a token is not echoed.
      throw new AuthenticationError('MalformedToken', 'beside the token, Sec-WebSocket-Protocol must offer a protocol');
    }
    return decodeSubprotocol(encoded);
  }
  if (bearers.length > 0) throw twoTokens();
  const space = authorization.indexOf(' ');
  const token = authorization.slice(space + 1).trim();
  if (space === -1 || authorization.slice(0, space).toLowerCase() !== 'bearer' || !isToken(token)) {
    throw new AuthenticationError('MalformedToken', 'the header Authorization must be "Bearer <token>"');
  }
  return token;
}

function decodeSubprotocol(encoded: string): string {
  const token = Buffer.from(encoded, 'base64url').toString('latin1');
  // Buffer skips what is not base64url, so that several texts would be one token.
  if (Buffer.from(token, 'latin1').toString('base64url') !== encoded || !isToken(token)) {
    throw new AuthenticationError(
      'MalformedToken',
      'the token in Sec-WebSocket-Protocol must be base64url without "="',
    );
  }
  return token;
}

/** One word of printable ASCII. */
function isToken(text: string): boolean {
  return /^[!-~]+$/.test(text);
}

function twoTokens(): AuthenticationError {
  const message = 'more than one bearer token: send one, in Authorization or in Sec-WebSocket-Protocol';
  return new AuthenticationError('TwoTokens', message);
}
