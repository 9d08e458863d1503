/** What an installation of several processes has of its own: a Redis and a registry, where an `up` would have its embedded ones. */
import { spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { type Service, service } from './service.ts';

export interface OwnParts {
  readonly redis: Service;
  readonly registry: Service;
  /** Where they are, for the processes. */
  readonly env: Readonly<Record<string, string>>;
}

const REDIS_PORT = 4001;
const REGISTRY_PORT = 4002;

/** @param log where they print to, as a file descriptor */
export function ownParts(home: string, log: number): OwnParts {
  const env = { PATH: process.env.PATH ?? '' };
  const folder = (name: string): string => {
    const made = path.join(home, name);
    mkdirSync(made, { recursive: true, mode: 0o700 });
    return made;
  };
  const redis = service(() => {
    const cwd = folder('redis');
    const args = ['--port', String(REDIS_PORT), '--bind', '127.0.0.1', '--appendonly', 'yes', '--save', ''];
    return spawn('redis-server', args, { cwd, env, stdio: ['ignore', log, log] });
  });
  const registry = service(() => {
    const cwd = folder('registry');
    const config = path.join(cwd, 'config.yml');
    const address = `127.0.0.1:${REGISTRY_PORT}`;
    const storage = { filesystem: { rootdirectory: path.join(cwd, 'data') }, delete: { enabled: true } };
    writeFileSync(config, JSON.stringify({ version: '0.1', storage, http: { addr: address, secret: 'of this run' } }));
    // As the embedded one notes it, for who looks from outside.
    writeFileSync(path.join(cwd, 'port'), `${REGISTRY_PORT}\n`);
    return spawn('docker-registry', ['serve', config], { cwd, env, stdio: ['ignore', log, log] });
  });
  return {
    redis,
    registry,
    env: { REDIS_URL: `redis://127.0.0.1:${REDIS_PORT}`, TREEHOUSE_REGISTRY: `127.0.0.1:${REGISTRY_PORT}` },
  };
}
