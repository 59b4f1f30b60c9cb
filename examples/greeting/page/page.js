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

socket.on('connect', () => state('Connected'));
socket.on('greeting-from-server', ({ greeting }) => {
  byId('said').append(line(`The server: ${greeting}`));
  socket.emit('greeting-from-client', { greeting: 'Hello Server' });
  byId('said').append(line('This page: Hello Server (it stands in the log of the node)'));
});
