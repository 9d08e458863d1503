/**
 * What the image's HEALTHCHECK runs: asks the part of Treehouse that this container is whether it works. A file of its own, since
 * it runs every few seconds and the whole command line takes half a second to load.
 */
import { readFileSync } from 'node:fs';
import { get } from 'node:http';
import { join } from 'node:path';
import { lookAtWalls } from './install/standing.ts';

const WITHIN_MS = 4_000;
const env = process.env;

/** The verb is among the words of the first process, also where that is docker-init. */
const words = readFileSync('/proc/1/cmdline', 'utf8').split('\0');
const role = words.find((one) => ['serve', 'worker', 'gateway', 'walls', 'up'].includes(one));

if (role === 'walls') {
  const fault = lookAtWalls(env.TREEHOUSE_HOME ?? '.treehouse');
  end(fault);
} else if (role === 'gateway') {
  // By the socket that tells it routes: it may have no port.
  ask({ socketPath: join(env.TREEHOUSE_HOME ?? '.treehouse', 'nginx', 'control.sock') }, '/ready');
} else {
  ask({ port: Number(env.TREEHOUSE_PORT || 4000) }, '/healthz');
}

function ask(at: { readonly socketPath: string } | { readonly port: number }, path: string): void {
  const request = get({ host: '127.0.0.1', ...at, path, agent: false, timeout: WITHIN_MS }, (response) => {
    response.resume();
    const status = response.statusCode ?? 0;
    end(status === 200 ? undefined : `${path} answers ${status}`);
  });
  request.once('timeout', () => request.destroy(new Error(`no answer within ${WITHIN_MS / 1000} s`)));
  request.once('error', (error) => end(error.message));
}

function end(fault: string | undefined): void {
  process.stdout.write(`${role ?? 'treehouse'}: ${fault ?? 'well'}\n`);
  process.exitCode = fault === undefined ? 0 : 1;
}
