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

const TYPING_MS = 2000;
const MOST_BYTES = 64 * 1024;
let username = '';

/** Asks, and shows what went wrong; true when the server said ok. */
const ask = async (event, payload) => {
  let problem = '';
  try {
    const answer = await socket.timeout(5000).emitWithAck(event, payload);
    if (answer.status !== 'ok') problem = answer.error.message ?? answer.error;
  } catch {
    problem = 'No answer within 5 s';
  }
  byId('problem').textContent = problem;
  if (event === 'user-join' && problem !== '') state(problem);
  return problem === '';
};

const join = async () => {
  const isIn = await ask('user-join', { username });
  byId('join').hidden = isIn;
  byId('chat').hidden = !isIn;
  if (isIn) byId('message').focus();
};
byId('join').addEventListener('submit', (event) => {
  event.preventDefault();
  username = byId('username').value.trim();
  join();
});
// After a reconnect the server knows a new socket that has not joined.
socket.on('connect', () => {
  byId('join').hidden = username !== '';
  if (username !== '') join();
});
socket.on('welcome', ({ message, onlineUsers }) => state(`${message}: ${onlineUsers} online as you came`));

const append = (item) => {
  byId('messages').append(item);
  item.scrollIntoView({ block: 'nearest' });
};
socket.on('chat-message', ({ username: from, message }) => append(line(bold(from), message)));
socket.on('message.sent', ({ username: from, message }) => append(line(bold(from), message)));
socket.on('system-message', ({ message }) => {
  const item = line(message);
  item.className = 'system';
  append(item);
});
socket.on('image', ({ username: from, type, bytes }) => {
  const reader = new FileReader();
  reader.addEventListener('load', () => {
    const picture = new Image();
    picture.alt = `A picture of ${from}`;
    picture.src = reader.result;
    append(line(bold(from), picture));
  });
  reader.readAsDataURL(new Blob([bytes], { type }));
});

const typing = new Set();
const drawTyping = () => {
  byId('typing').textContent =
    typing.size === 0 ? '' : `${[...typing].join(', ')} ${typing.size === 1 ? 'is' : 'are'} typing …`;
};
socket.on('typing', ({ username: from }) => {
  typing.add(from);
  drawTyping();
});
socket.on('stop-typing', ({ username: from }) => {
  typing.delete(from);
  drawTyping();
});
socket.on('user-list', (users) => {
  byId('users').replaceChildren(...users.map((user) => line(user.username)));
  byId('count').textContent = users.length;
  // Who left while typing says so no more.
  for (const name of typing) if (!users.some((user) => user.username === name)) typing.delete(name);
  drawTyping();
});

let stopTimer;
const stopTyping = () => {
  if (stopTimer === undefined) return;
  clearTimeout(stopTimer);
  stopTimer = undefined;
  socket.emit('stop-typing');
};
byId('message').addEventListener('input', () => {
  if (stopTimer === undefined) socket.emit('typing');
  clearTimeout(stopTimer);
  stopTimer = setTimeout(stopTyping, TYPING_MS);
});
byId('say').addEventListener('submit', async (event) => {
  event.preventDefault();
  stopTyping();
  if (await ask('chat-message', { message: byId('message').value })) byId('say').reset();
});
byId('picture').addEventListener('change', async () => {
  const [file] = byId('picture').files;
  if (!file) return;
  if (file.size > MOST_BYTES) byId('problem').textContent = 'A picture has at most 64 KB here';
  else await ask('image', { type: file.type, bytes: await file.arrayBuffer() });
  byId('picture').value = '';
});
