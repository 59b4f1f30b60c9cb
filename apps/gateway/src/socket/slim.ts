import type { GatewaySocket } from './server.ts';

type Connection = GatewaySocket['conn'];

/**
 * Lets go of what nobody asks for once a socket is in, where no code of a team could: the HTTP request, 2.7 KB for each
 * connection, and the token. What stays of the request is what socket.io 4.8.4 reads when the same connection opens
 * another namespace (`Socket#buildHandshake`).
 */
export function slim(socket: GatewaySocket): void {
  socket.handshake.auth = NO_AUTH;
  if (!(SLIM in socket.conn.request)) slimRequest(socket.conn);
}

const SLIM = Symbol('slim request');
const NO_AUTH = Object.freeze({});

const slimRequest = (connection: Connection): void => {
  const { headers, url, _query, socket } = connection.request as Connection['request'] & { _query: unknown }; // set by engine.io
  const encrypted = 'encrypted' in socket && socket.encrypted === true;
  const request = { headers, url, _query, connection: encrypted ? ENCRYPTED : PLAIN, [SLIM]: true };
  Object.assign(connection, { request });
};

const ENCRYPTED = { encrypted: true };
const PLAIN = { encrypted: false };
