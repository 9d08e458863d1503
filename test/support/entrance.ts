/** The entrance of an installation, as docker-compose.yml has it: the real HAProxy with the real configuration. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePorts, until } from './treehouse.ts';

const fileOf = (name: string) => fileURLToPath(new URL(`../../templates/install/${name}`, import.meta.url));

export interface Entrance {
  stop(): Promise<void>;
}

/** @param home whose gateway it passes connections to @param ports on 127.0.0.1 */
export async function startEntrance(
  home: string,
  ports: { readonly http: number; readonly https?: number | undefined },
): Promise<Entrance> {
  const [spare = 0, healthy = 0] = await freePorts(2);
  const child = spawn('haproxy', ['-f', fileOf('entrance.cfg')], {
    stdio: 'ignore',
    env: {
      PATH: `${process.env.PATH}:/usr/sbin`,
      HTTP: `127.0.0.1:${ports.http}`,
      HTTPS: `127.0.0.1:${ports.https ?? spare}`,
      HEALTHY: `127.0.0.1:${healthy}`,
      LUA: fileOf('entrance.lua'),
      SOCKETS: path.join(home, 'nginx', 'entrance'),
    },
  });
  const lastWill = () => child.kill('SIGKILL');
  process.once('exit', lastWill);
  await until('the entrance listens', async () => {
    if (child.exitCode !== null) throw new Error(`haproxy ended: ${child.exitCode}`);
    return isOpen(ports.http);
  });
  return {
    async stop() {
      process.off('exit', lastWill);
      const exited = once(child, 'exit');
      child.kill('SIGTERM');
      await exited;
    },
  };
}

function isOpen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' });
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}
