import { AppError } from '@fanfare/protocol';
import type { GatewayEvents } from '../events.ts';
import type { VerifyToken } from '../identity/verifier.ts';
import type { GatewayNamespace } from './server.ts';

const NO_INFO = Object.freeze({});

/** Lets in whoever has a token for this namespace; others get a `connect_error` with the code in its `data`. */
export function authenticate(namespace: GatewayNamespace, verify: VerifyToken, events: GatewayEvents): void {
  namespace.use((socket, next) => {
    verify(socket.handshake.auth)
      .then((claims) => {
        if (!claims.namespaces.includes(namespace.name))
          throw new AppError('forbidden', 'The token does not open this namespace');
        socket.data.claims = claims;
        socket.data.user = { id: claims.sub, info: claims.info ?? NO_INFO };
        next();
      })
      .catch((thrown: unknown) => {
        const error = AppError.from(thrown);
        events.failed(error, { socket: socket.id, namespace: namespace.name });
        next(Object.assign(new Error(error.message), { data: error.toWire() }));
      });
  });
}
