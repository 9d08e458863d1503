/** WebSockets, asked for through the same routes, and so the same checks, as everything else. */
import { type IncomingMessage, type Server, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import type { Express } from 'express';
import { type WebSocket, WebSocketServer } from 'ws';

/** Bytes of one message. */
const MESSAGE_MAX = 256 * 1024;
/** From when on the system asks whether a silent other end is still there. */
const KEEP_ALIVE_MS = 30_000;

const asked = new WeakMap<IncomingMessage, () => Promise<WebSocket>>();

/** What makes a WebSocket of the request; undefined where it asks for none. */
export function webSocketOf(req: IncomingMessage): (() => Promise<WebSocket>) | undefined {
  return asked.get(req);
}

/** Lets the app answer requests that ask for a WebSocket: as any other, or with one. */
export function serveUpgrades(server: Server, app: Express): void {
  const sockets = new WebSocketServer({ noServer: true, maxPayload: MESSAGE_MAX, perMessageDeflate: false });
  server.on('upgrade', (req, socket, head) => {
    socket.on('error', () => socket.destroy());
    // What is not a plain request has a body that nobody reads any more.
    if (!(socket instanceof Socket) || req.method !== 'GET') return void socket.destroy();
    const res = new ServerResponse(req);
    res.shouldKeepAlive = false;
    res.assignSocket(socket);
    const end = () => {
      res.detachSocket(socket);
      socket.end();
    };
    res.once('finish', end);
    if (req.headers.upgrade?.toLowerCase() === 'websocket') {
      asked.set(req, () => {
        res.off('finish', end);
        res.detachSocket(socket);
        res.statusCode = 101;
        // For whoever counts answers: this one ends here.
        res.emit('finish');
        socket.setKeepAlive(true, KEEP_ALIVE_MS);
        return new Promise((resolve, reject) => {
          socket.once('close', () => reject(new Error('it was closed before it was a WebSocket')));
          sockets.handleUpgrade(req, socket, head, (one) => resolve(one));
        });
      });
    }
    app(req, res);
  });
}
