/**
 * Begins a command by the engine's API and takes the connection over, for what is typed into it. Not by dockerode's own `start`: that
 * sends a body, and a proxy before the engine (HAProxy) takes a request with a body for one that cannot become a stream. Without
 * a body the engine sends its output in frames, also of a terminal.
 */
import type { Duplex } from 'node:stream';
import type Docker from 'dockerode';

export function startHijacked(docker: Docker, exec: Docker.Exec): Promise<Duplex> {
  const request = {
    path: `/exec/${exec.id}/start`,
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    // Else it would be sent in chunks, which is a body too.
    file: Buffer.alloc(0),
    hijack: true,
    isStream: true,
    statusCodes: {
      200: true,
      404: 'no such exec',
      409: 'container stopped/paused',
      500: 'container not running',
    },
  };
  return new Promise((resolve, reject) => {
    docker.modem.dial(request, (error: unknown, stream: unknown) => {
      if (error) reject(error);
      else resolve(stream as Duplex);
    });
  });
}
