/** A server at a unix socket, which another takes over from without a visitor noticing. */
import { once } from 'node:events';
import { mkdir, rename, rm, stat } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Express } from 'express';
import { messageOf, TreehouseError } from '../errors.ts';
import { close } from './server.ts';

export interface SocketServer {
  readonly server: Server;
  /** As `close` of a port's; who looks for the socket finds the next server's or none, never one that hangs up. */
  close(graceMs: number): Promise<void>;
}

/** Whoever connected before the socket went is accepted by then. */
const ACCEPTED_MS = 200;

/**
 * Listens in place of whoever listened there before: that one keeps what it accepted, and gets nothing new.
 * @throws {TreehouseError} `bad-config` where that cannot be.
 */
export async function listenAt(app: Express, file: string): Promise<SocketServer> {
  const server = createServer(app);
  const aside = `${file}.${process.pid}`;
  try {
    // Root's folder is to be passed through by whom the socket is for.
    await mkdir(path.dirname(file), { recursive: true, mode: 0o711 });
    await rm(aside, { force: true });
    server.listen({ path: aside, writableAll: process.getuid?.() === 0 });
    await once(server, 'listening');
    const own = await inodeOf(aside);
    await rename(aside, file);
    return {
      server,
      async close(graceMs) {
        if ((await inodeOf(file)) === own) {
          await rm(file, { force: true });
          await delay(ACCEPTED_MS);
        }
        await close(server, graceMs);
      },
    };
  } catch (error) {
    server.close();
    throw new TreehouseError('bad-config', `cannot listen on ${file}: ${messageOf(error)}`, { cause: error });
  }
}

async function inodeOf(file: string): Promise<number | undefined> {
  return (await stat(file).catch(() => undefined))?.ino;
}
