import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import { type WebSocket, WebSocketServer } from 'ws';
import { formatMark } from '../wire/mark.ts';
import { ConnectionGroup } from './connections.ts';

/** A WebSocket server whose deliveries the test decides, and three connections to it. */
const startPeers = async () => {
  const http = createServer();
  const server = new WebSocketServer({ server: http });
  const peers: WebSocket[] = [];
  server.on('connection', (peer) => peers.push(peer));
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  const { port } = http.address() as AddressInfo; // a TCP server's address is never a string
  const group = new ConnectionGroup({
    group: 'test',
    servers: [{ host: '127.0.0.1', port }],
    mode: 'ws',
    count: 3,
    first: 0,
    step: 1,
    streams: 1,
    concurrency: 1,
  });
  await group.connect();
  const send = (peer: number, seqs: number[], stream = 0): void => {
    for (const seq of seqs) peers[peer]?.send(JSON.stringify({ mark: formatMark({ stream, seq, at: 0 }) }));
  };
  return {
    send,
    end: (peer: number) => peers[peer]?.terminate(),
    /** What the group says after `last` messages were sent. */
    check: (last: number) =>
      group.collect({ group: 'test', streams: { 0: { last, refused: [] } }, waitMs: 100 }),
    [Symbol.asyncDispose]: async () => {
      group.close();
      http.close();
    },
  };
};

describe('the delivery check', () => {
  it('finds nothing wrong when everybody heard everything', async () => {
    await using peers = await startPeers();
    for (const peer of [0, 1, 2]) peers.send(peer, [1, 2, 3]);
    expect(await peers.check(3)).toMatchObject({
      received: 9,
      lost: 0,
      duplicated: 0,
      outOfOrder: 0,
      misdirected: 0,
      ended: {},
    });
  });

  it('detects a message that one connection lost', async () => {
    await using peers = await startPeers();
    peers.send(0, [1, 2, 3]);
    peers.send(1, [1, 3]);
    peers.send(2, [1, 2, 3]);
    expect(await peers.check(3)).toMatchObject({ lost: 1, duplicated: 0, outOfOrder: 0 });
  });

  it('detects a doubled message', async () => {
    await using peers = await startPeers();
    peers.send(0, [1, 2, 3]);
    peers.send(1, [1, 2, 2, 3]);
    peers.send(2, [1, 2, 3]);
    expect(await peers.check(3)).toMatchObject({ lost: 0, duplicated: 1, outOfOrder: 0 });
  });

  it('detects two swapped messages', async () => {
    await using peers = await startPeers();
    peers.send(0, [1, 2, 3]);
    peers.send(1, [1, 2, 3]);
    peers.send(2, [2, 1, 3]);
    expect(await peers.check(3)).toMatchObject({ lost: 0, duplicated: 0, outOfOrder: 1 });
  });

  it('detects a message of a room that the connection is not in', async () => {
    await using peers = await startPeers();
    peers.send(0, [1], 7);
    for (const peer of [0, 1, 2]) peers.send(peer, [1]);
    expect(await peers.check(1)).toMatchObject({ misdirected: 1, duplicated: 0 });
  });

  it('tells of a connection that ended instead of counting its messages as lost', async () => {
    await using peers = await startPeers();
    peers.end(0);
    for (const peer of [1, 2]) peers.send(peer, [1, 2]);
    const heard = await peers.check(2);
    expect(heard).toMatchObject({ received: 4, lost: 0 });
    expect(Object.values(heard.ended)).toEqual([1]);
  });
});
