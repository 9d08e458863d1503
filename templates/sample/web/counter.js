// Counts a visit in Redis, by its own protocol: one command, one answer. undefined when the counter is away.
import { connect } from 'node:net';

const [host, port] = (process.env.COUNTER ?? 'counter:6379').split(':');

export function countVisit() {
  return new Promise((resolve) => {
    const socket = connect({ host, port: Number(port) });
    const done = (visits) => {
      socket.destroy();
      resolve(visits);
    };
    socket.setTimeout(500, () => done(undefined));
    socket.on('error', () => done(undefined));
    socket.on('connect', () => socket.write('INCR visits\r\n'));
    socket.on('data', (answer) => {
      const number = /^:(\d+)\r\n/.exec(answer)?.[1];
      done(number && Number(number));
    });
  });
}
