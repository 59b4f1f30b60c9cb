const byId = (id) => document.getElementById(id);
const state = (text) => {
  byId('state').textContent = text;
};

// The token comes with the link (#token=…) and leaves the address bar at once, or it is typed in.
let token = new URLSearchParams(location.hash.slice(1)).get('token') ?? '';
history.replaceState(null, '', location.pathname);
const socket = window.io({ autoConnect: false, auth: (give) => give({ token }) });
const enter = () => {
  byId('enter').hidden = true;
  socket.connect();
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

socket.on('disconnect', () => state('The connection is lost, coming back …'));
socket.on('connect_error', (error) => {
  // Without data it is the network, and the client tries again by itself.
  if (error.data === undefined) return;
  byId('enter').hidden = false;
  state(`Refused: ${error.data.code}`);
});

let name = '';
const users = new Map();
const log = (text) => byId('hugs').prepend(line(text));

/** Asks, and says what went wrong; true when the server said ok. */
const ask = async (event, payload) => {
  let problem;
  try {
    const answer = await socket.timeout(5000).emitWithAck(event, payload);
    if (answer.status !== 'ok') problem = answer.error.message ?? answer.error;
  } catch {
    problem = 'No answer within 5 s';
  }
  if (problem) log(problem);
  return !problem;
};
const draw = () => {
  const others = [...users.values()].filter(({ id }) => id !== socket.id);
  byId('users').replaceChildren(
    ...others.map(({ id, username }) => {
      const button = document.createElement('button');
      button.textContent = 'Hug';
      button.setAttribute('aria-label', `Hug ${username}`);
      button.addEventListener('click', () => ask('user.hug', id));
      return line(username, button);
    }),
  );
};

const create = async () => {
  const isIn = await ask('username.create', name);
  byId('name-form').hidden = isIn;
  if (isIn) state(`You are ${name}`);
};
byId('name-form').addEventListener('submit', (event) => {
  event.preventDefault();
  name = byId('name').value;
  create();
});
// After a reconnect the server knows a new socket without a name.
socket.on('connect', () => {
  state('Connected');
  byId('name-form').hidden = name !== '';
  if (name !== '') create();
});
socket.on('users.list', (list) => {
  users.clear();
  for (const user of list) users.set(user.id, user);
  draw();
});
socket.on('user.add', (user) => {
  users.set(user.id, user);
  draw();
});
socket.on('user.remove', (id) => {
  users.delete(id);
  draw();
});
socket.on('user.hugged', ({ from, to }) => log(from === name ? `You hugged ${to}` : `${from} hugged you`));
