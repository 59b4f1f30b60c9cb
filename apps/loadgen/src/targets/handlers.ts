import type { Server } from 'socket.io';
import { serveControl } from './control.ts';
import { EVERYBODY, smallRoom, TICK_EVENT, tickData } from './message.ts';

/**
 * What the benchmark does inside a Socket.IO server, the same in the gateway (as its handlers module) and in
 * the stock server: once told to, every connection joins the room of everybody and a small one; commands come
 * from stdin.
 */
const registerBench = (io: Server): void => {
  let connections = 0;
  let smallRooms = 0;
  io.on('connection', (socket) => {
    if (smallRooms > 0) socket.join([EVERYBODY, smallRoom(connections++ % smallRooms)]);
  });
  serveControl(
    (seq, rooms) => {
      const data = tickData(seq);
      if (rooms === 1) io.to(EVERYBODY).emit(TICK_EVENT, data);
      else for (let n = 0; n < rooms; n++) io.to(smallRoom(n)).emit(TICK_EVENT, data);
    },
    (rooms) => {
      smallRooms = rooms;
    },
  );
};

export default registerBench;
