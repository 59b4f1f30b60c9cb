const ANSWER_TIMEOUT_MS = 5000;
const FIRST_RETRY_MS = 1000;
const LONGEST_RETRY_MS = 10_000;

/** A session id is 20 random characters, `_`, and the node that holds it. */
const nodeOf = (session) => session.slice(21);

/** What a token says of itself; the gateway is who checks it. */
export const readToken = (token) => {
  try {
    const [, payload] = token.split('.');
    const bytes = Uint8Array.from(atob(payload.replaceAll('-', '+').replaceAll('_', '/')), (c) =>
      c.charCodeAt(0),
    );
    const { sub, exp, namespaces = ['/'] } = JSON.parse(new TextDecoder().decode(bytes));
    return { user: String(sub), expiresAt: Number(exp) * 1000, namespaces: namespaces.map(String) };
  } catch {
    return undefined;
  }
};

/** An ack of the gateway's shape for what never reached it. */
const refusal = (code, message) => ({ ok: false, error: { code, message } });

/** Runs `connect` again and again, later each time and never at the same moment as everybody else. */
const createRetry = (connect) => {
  let timer;
  let tries = 0;
  const stop = () => clearTimeout(timer);
  return {
    stop,
    reset: () => {
      tries = 0;
    },
    /** @returns when it will be, in ms since 1970 */
    later: () => {
      const longest = Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** tries);
      const delay = longest * (0.75 + Math.random() / 4);
      tries += 1;
      stop();
      timer = setTimeout(connect, delay);
      return Date.now() + delay;
    },
  };
};

/**
 * One stock client at a time. It reconnects here and not by itself, so that the page can say when the next try is.
 * `onChange` gets `{phase, retryAt?, error?, session?, node?, transport?}`; `phase` is idle, connecting, connected,
 * waiting or refused. `onEvent` gets every application event.
 */
export const createConnection = ({ onChange, onEvent }) => {
  let socket;
  /** How the transport of this connection changed, once it did. */
  let upgrade;

  const report = (phase, more = {}) => {
    const engine = socket?.io.engine;
    const session = phase === 'connected' ? engine.id : undefined;
    onChange({
      phase,
      session,
      node: session && nodeOf(session),
      transport: phase === 'connected' ? (upgrade ?? engine.transport.name) : undefined,
      ...more,
    });
  };

  const connectNow = () => {
    retry.stop();
    report('connecting');
    socket.connect();
  };
  const retry = createRetry(connectNow);
  const retryLater = () => report('waiting', { retryAt: retry.later() });

  const close = () => {
    retry.stop();
    retry.reset();
    socket?.off();
    socket?.disconnect();
    socket = undefined;
  };

  const open = ({ token, namespace }) => {
    close();
    socket = window.io(namespace, {
      auth: { token },
      reconnection: false,
      autoConnect: false,
      forceNew: true,
    });
    const { io: manager } = socket;
    manager.on('open', () => {
      const first = manager.engine.transport.name;
      upgrade = undefined;
      manager.engine.on('upgrade', (transport) => {
        upgrade = `${first} → ${transport.name}`;
        if (socket?.connected) report('connected');
      });
    });
    socket.on('connect', () => {
      retry.reset();
      report('connected');
    });
    socket.on('connect_error', (error) => {
      // Only a refusal carries data; anything else is a connection that did not come about.
      if (error.data?.code === undefined) return retryLater();
      manager.engine.close();
      report('refused', { error: error.data });
    });
    socket.on('disconnect', (reason) => {
      if (reason !== 'io client disconnect') retryLater();
    });
    socket.onAny(onEvent);
    connectNow();
  };

  /** Asks the gateway and returns its ack; no answer is an error of the same shape. */
  const ask = async (event, payload) => {
    if (!socket?.connected) return refusal('not_connected', 'Not connected');
    try {
      return await socket.timeout(ANSWER_TIMEOUT_MS).emitWithAck(event, payload);
    } catch {
      return refusal('no_answer', 'The gateway did not answer within 5 s');
    }
  };

  return { open, ask, retryNow: connectNow, close };
};
