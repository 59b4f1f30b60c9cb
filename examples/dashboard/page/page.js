const byId = (id) => document.getElementById(id);
const state = (text) => {
  byId('state').textContent = text;
};

// The token comes with the link (#token=…) and leaves the address bar at once, or it is typed in.
let token = new URLSearchParams(location.hash.slice(1)).get('token') ?? '';
history.replaceState(null, '', location.pathname);
const auth = (give) => give({ token });
const socket = window.io('/dashboard', { autoConnect: false, auth });
const admin = window.io('/admin', { autoConnect: false, auth });
const enter = () => {
  byId('enter').hidden = true;
  socket.connect();
  admin.connect();
};
byId('enter').addEventListener('submit', (event) => {
  event.preventDefault();
  token = byId('token').value.trim();
  enter();
});
if (token !== '') enter();

/** A line of a list. Text from others is set as text, so that no markup of theirs is ever run. */
const line = (...parts) => {
  const item = document.createElement('li');
  item.append(...parts);
  return item;
};
const bold = (text) => {
  const name = document.createElement('b');
  name.textContent = text;
  return name;
};

socket.on('disconnect', () => state('The connection is lost, coming back …'));
socket.on('connect_error', (error) => {
  // Without data it is the network, and the client tries again by itself.
  if (error.data === undefined) return;
  byId('enter').hidden = false;
  state(`Refused: ${error.data.code}`);
});
socket.on('connect', () => state('Live'));

const KEPT = 50;
const shown = new Set();
const show = ({ id, user, comment }, isFresh) => {
  // The snapshot and the live events overlap by design.
  if (shown.has(id)) return;
  shown.add(id);
  const item = line(bold(user), comment);
  if (isFresh) item.className = 'fresh';
  byId('comments').prepend(item);
  for (const old of [...byId('comments').children].slice(KEPT)) old.remove();
};
socket.on('comments.list', (comments) => {
  for (const comment of comments.reverse()) show(comment, false);
});
socket.on('comment.add', (comment) => show(comment, true));

// Whose token does not open /admin sees the dashboard and no form.
admin.on('connect', () => {
  byId('write').hidden = false;
});
byId('write').addEventListener('submit', async (event) => {
  event.preventDefault();
  try {
    const answer = await admin
      .timeout(5000)
      .emitWithAck('comment.create', { comment: byId('comment').value });
    byId('outcome').textContent = answer.status === 'ok' ? 'Added' : answer.error;
    if (answer.status === 'ok') byId('write').reset();
  } catch {
    byId('outcome').textContent = 'No answer within 5 s: look whether it was added';
  }
});
