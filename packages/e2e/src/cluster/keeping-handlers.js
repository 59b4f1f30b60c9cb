/** Stock code of a team that keeps with every socket what no message can hold, and asks for all sockets. */
export default (io) => {
  io.on('connection', (socket) => {
    socket.data.name = socket.id;
    socket.data.timer = setInterval(() => undefined, 60_000);
    socket.on('disconnect', () => clearInterval(socket.data.timer));
    socket.on('who', async (ack) => ack((await io.fetchSockets()).map(({ data }) => data.name)));
  });
};
