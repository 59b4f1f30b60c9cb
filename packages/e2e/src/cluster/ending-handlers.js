/** Stock code of a team that ends sockets, with pings that need no patience. */
export default (io) => {
  Object.assign(io.engine.opts, { pingInterval: 500, pingTimeout: 2000 });
  io.on('connection', (socket) => {
    socket.on('end-me', () => socket.disconnect());
  });
};
