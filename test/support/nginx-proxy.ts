/** A container in nginx-proxy's place: it is in networks as that is, and what it is sent to it asks for from where it stands. */
import type Docker from 'dockerode';
import { dockerEngine } from '../../src/adapters/engine.ts';

/** Serves `front` at a published port of its own. @param network its own, which leads to the world */
export async function startStandIn(docker: Docker, name: string, network: string): Promise<void> {
  const made = await docker.createContainer({
    name,
    Image: 'busybox:latest',
    Cmd: ['sh', '-c', 'mkdir /www; echo front >/www/index.html; exec httpd -f -h /www -p 80'],
    HostConfig: {
      NetworkMode: network,
      PortBindings: { '80/tcp': [{ HostIp: '127.0.0.1', HostPort: '' }] },
      Init: true,
    },
    ExposedPorts: { '80/tcp': {} },
  });
  await made.start();
}

/** What it gets from `ip:port`; status 0 where that does not answer. */
export async function askFrom(
  docker: Docker,
  container: string,
  upstream: string,
  host = 'localhost',
): Promise<{ readonly status: number; readonly body: string }> {
  const lines: string[] = [];
  const [address = '', port = ''] = upstream.split(':');
  // Debian's busybox has a wget that ends with a segmentation fault; `exec` gives no empty lines.
  const script = 'printf "GET / HTTP/1.0\\r\\nHost: %s\\r\\n\\r\\n" "$2" | nc -w 3 "$0" "$1" | sed "s/^\r*$/--/"';
  const command = ['sh', '-c', script, address, port, host];
  const engine = dockerEngine(docker, '');
  await engine.exec(container, command, (line) => lines.push(line.trimEnd()), AbortSignal.timeout(20_000));
  const end = lines.indexOf('--');
  return { status: Number(lines[0]?.split(' ')[1] ?? 0), body: lines.slice(end + 1).join('\n') };
}
