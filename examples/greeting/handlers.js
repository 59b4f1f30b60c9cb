/**
 * The greeting exchange: the server greets whoever connects and logs what comes back.
 *
 * @param {import('socket.io').Server} io
 */
export default function greeting(io) {
  io.on('connection', (socket) => {
    socket.on('greeting-from-client', (message) => {
      // biome-ignore lint/suspicious/noConsole: what this example shows is the line in the server's log.
      console.log('greeting-from-client', JSON.stringify(message));
    });
    socket.emit('greeting-from-server', { greeting: 'Hello Client' });
  });
}
