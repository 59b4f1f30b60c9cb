/** Lets a test make its gateway say anything to one socket, and do what no client could make it do. */
export default function install(io) {
  io.on('connection', (socket) => {
    socket.on('test:tell', (messages, ack) => {
      for (const [event, ...args] of messages) socket.emit(event, ...args);
      ack();
    });
    socket.on('test:rooms', (ack) => ack([...socket.rooms]));
    socket.on('test:cut', () => socket.conn.close());
  });
}
