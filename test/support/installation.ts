/** A team's installation by docker-compose.yml on this machine's engine, beside whatever else runs on it. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { docker } from './treehouse.ts';

const run = promisify(execFile);
const project = fileURLToPath(new URL('../..', import.meta.url));

export interface Installation {
  /** Folder of the host in which Treehouse keeps all. */
  readonly home: string;
  /** What is `/etc/treehouse` inside. */
  readonly etc: string;
  readonly ports: { readonly http: number; readonly serve: number; readonly registry: number };
  compose(...args: readonly string[]): Promise<string>;
  /** Container ids of a service. */
  containers(service: string): Promise<readonly string[]>;
  /** A program in the first container of a service; what it printed. */
  inside(service: string, ...command: readonly string[]): Promise<string>;
  /** Of a file in the home, which only its user reads. */
  secret(name: string): Promise<string>;
  stop(): Promise<void>;
}

/** Builds the image from stand-ins of its bases (test/images), with packages from where npm has them here. */
export async function buildImage(tag: string): Promise<void> {
  const secrets = [
    ['npmrc', path.join(homedir(), '.npmrc')],
    ['ca', process.env.NODE_EXTRA_CA_CERTS ?? ''],
  ].flatMap(([id, file = '']) => (file !== '' && existsSync(file) ? ['--secret', `id=${id},src=${file}`] : []));
  const bases = ['NODE_IMAGE=node:20-bookworm-slim', 'DOCKER_CLI_IMAGE=docker:27-cli'];
  const args = ['build', '--network', 'host', ...secrets, ...bases.flatMap((one) => ['--build-arg', one])];
  await run('docker', [...args, '--label', 'treehouse.test-image=1', '-t', tag, project], { maxBuffer: 2 ** 26 });
}

/** @param port the first of four that are free */
export async function install(
  image: string,
  port: number,
  more: Readonly<Record<string, string>> = {},
): Promise<Installation> {
  const name = `treehouse-test-${process.pid}`;
  const folder = await mkdtemp(path.join(tmpdir(), 'treehouse-installation-'));
  await chmod(folder, 0o755);
  const [home, etc] = [path.join(folder, 'home'), path.join(folder, 'etc')];
  await mkdir(etc, { mode: 0o755 });
  const socket = await stat('/var/run/docker.sock');
  const env = {
    DOCKER_GID: String(socket.gid),
    TREEHOUSE_IMAGE: image,
    TREEHOUSE_HOME: home,
    TREEHOUSE_ETC: etc,
    TREEHOUSE_GATEWAY_CONTAINER: `${name}-gateway`,
    TREEHOUSE_FRONT: `front.${name}`,
    TREEHOUSE_READS: `198.18.${port % 250}`,
    TREEHOUSE_HTTP_PORT: String(port),
    TREEHOUSE_PUBLIC_PORT: String(port),
    TREEHOUSE_HTTPS_PORT: String(port + 1),
    TREEHOUSE_SERVE_PORT: String(port + 2),
    TREEHOUSE_REGISTRY_PORT: String(port + 3),
    TREEHOUSE_REDIS_IMAGE: 'redis:7-alpine',
    TREEHOUSE_REGISTRY_IMAGE: 'registry:2',
    TREEHOUSE_HAPROXY_IMAGE: 'haproxy:3.2-alpine',
    ...more,
  };
  const file = path.join(folder, 'env');
  await writeFile(
    file,
    Object.entries(env)
      .map(([key, value]) => `${key}=${value}\n`)
      .join(''),
  );

  async function compose(...args: readonly string[]): Promise<string> {
    const all = ['compose', '--ansi', 'never', '-p', name, '--project-directory', project, '--env-file', file, ...args];
    const { stdout, stderr } = await run('docker', all, {
      env: { PATH: process.env.PATH, HOME: process.env.HOME },
      maxBuffer: 2 ** 26,
    });
    return stdout + stderr;
  }
  async function containers(service: string): Promise<readonly string[]> {
    const labels = [`com.docker.compose.project=${name}`, `com.docker.compose.service=${service}`];
    return docker('ps', '-q', '--no-trunc', ...labels.flatMap((one) => ['--filter', `label=${one}`]));
  }
  return {
    ...{ home, etc, compose, containers },
    ports: { http: port, serve: port + 2, registry: port + 3 },
    async inside(service, ...command) {
      const [id = ''] = await containers(service);
      const { stdout } = await run('docker', ['exec', id, ...command], { maxBuffer: 2 ** 26 });
      return stdout.trim();
    },
    secret: async (secret) => (await readFile(path.join(home, secret), 'utf8')).trim(),
    async stop() {
      await compose('down', '--volumes', '--timeout', '5');
      await rm(folder, { recursive: true, force: true });
    },
  };
}
