/** A team's handlers that fail on whatever they are sent. */
export default (io) => {
  io.on('connection', (socket) => {
    socket.on('throw:now', () => {
      throw new Error('a bug of the team');
    });
  });
};
