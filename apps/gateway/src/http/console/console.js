import { createConnection, readToken } from './connection.js';
import { byId, complain } from './elements.js';
import { createFeed } from './feed.js';
import { createRooms } from './rooms.js';
import { createSender } from './sender.js';

/** A reload of the tab keeps its token; another tab or a closed one does not. */
const STORED_TOKEN = 'fanfare-token';

const [stateBox, stateText, action, namespaces] = [
  'state',
  'state-text',
  'state-action',
  'fact-namespace',
].map(byId);
const login = byId('login');
const namespace = () => namespaces.value || '/';
let token = '';
let state = { phase: 'idle' };

const feed = createFeed();
const connection = createConnection({ onChange: (next) => show(next), onEvent: feed.hear });
const rooms = createRooms(connection);
const sender = createSender({ ask: connection.ask, namespace });

const WORDS = {
  idle: () => 'Not connected',
  connecting: () => 'Connecting …',
  connected: () => 'Connected',
  waiting: ({ retryAt }) => `Reconnecting in ${Math.max(0, Math.ceil((retryAt - Date.now()) / 1000))} s`,
  refused: ({ error }) => `Refused: ${error.code}`,
};

/** The same for who listens: said once for each change, without the seconds. */
const said = ({ phase, node, transport, error }) => {
  if (phase === 'connected') return `Connected to node ${node} over ${transport}`;
  if (phase === 'waiting') return 'The connection is lost, reconnecting';
  return phase === 'refused' ? `Refused: ${error.message}` : '';
};

const ACTIONS = {
  connected: { text: 'Disconnect', run: () => leave() },
  connecting: { text: 'Cancel', run: () => leave() },
  waiting: { text: 'Try now', run: () => connection.retryNow() },
};

/** Written only when it changes: a selection stays, and a status region is not read out again. */
const write = (place, text) => {
  if (place.textContent !== text) place.textContent = text;
};

const WEEK_MS = 7 * 24 * 60 * 60 * 1000;
const time = { hour: '2-digit', minute: '2-digit', hour12: false };
const withinWeek = new Intl.DateTimeFormat(undefined, { weekday: 'short', ...time });
const anyDay = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium' });

const validity = ({ expiresAt }) => {
  const left = expiresAt - Date.now();
  if (!(left > 0)) return 'expired';
  return (left < WEEK_MS ? withinWeek : anyDay).format(expiresAt);
};

const showFacts = ({ node, transport, session }) => {
  const claims = readToken(token);
  write(byId('fact-node'), node ?? '–');
  write(byId('fact-transport'), transport ?? '–');
  write(byId('fact-session'), session ?? '–');
  write(byId('fact-user'), claims?.user ?? '–');
  write(byId('fact-token'), claims ? validity(claims) : '–');
};

function show(next) {
  const wasConnected = state.phase === 'connected';
  state = next;
  const { phase } = next;
  stateBox.dataset.state = phase;
  write(stateText, WORDS[phase](next));
  write(byId('state-said'), said(next));
  const offer = ACTIONS[phase];
  action.hidden = offer === undefined;
  action.textContent = offer?.text ?? '';
  login.hidden = phase !== 'idle' && phase !== 'refused';
  complain('login-problem', phase === 'refused' ? `${next.error.code}: ${next.error.message}` : '');
  for (const button of document.querySelectorAll('.needs-connection'))
    button.disabled = phase !== 'connected';
  showFacts(next);
  if (phase === 'connected' && !wasConnected) rooms.rejoin();
}

const offerNamespaces = (names) => {
  const chosen = namespace();
  namespaces.replaceChildren(...names.map((name) => new Option(name)));
  namespaces.value = names.includes(chosen) ? chosen : (names[0] ?? '/');
  namespaces.disabled = names.length < 2;
};

const enter = (given) => {
  token = given.trim();
  sessionStorage.setItem(STORED_TOKEN, token);
  offerNamespaces(readToken(token)?.namespaces ?? ['/']);
  sender.draw();
  connection.open({ token, namespace: namespace() });
};

const leave = () => {
  connection.close();
  sessionStorage.removeItem(STORED_TOKEN);
  byId('token').value = token;
  token = '';
  rooms.forget();
  show({ phase: 'idle' });
};

/** The token of the link; it goes from the address bar at once, so that no bookmark and no history keeps it. */
const takeTokenFromLink = () => {
  const given = new URLSearchParams(location.hash.slice(1)).get('token');
  if (given !== null) history.replaceState(null, '', location.pathname + location.search);
  return given ?? '';
};

const start = () => {
  const given = takeTokenFromLink() || sessionStorage.getItem(STORED_TOKEN);
  if (given) enter(given);
};

action.addEventListener('click', () => ACTIONS[state.phase]?.run());
byId('login-form').addEventListener('submit', (event) => {
  event.preventDefault();
  enter(byId('token').value);
  byId('token').value = '';
});
namespaces.addEventListener('change', () => {
  rooms.forget();
  enter(token);
});
addEventListener('hashchange', start);
setInterval(() => write(stateText, WORDS[state.phase](state)), 250);

// On a phone the messages come next; the line for a backend waits to be asked for.
if (matchMedia('(max-width: 800px)').matches) byId('curl-details').open = false;
offerNamespaces(['/']);
show(state);
start();
