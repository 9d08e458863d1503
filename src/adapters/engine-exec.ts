/** Commands that people run in containers, over the engine's own hijacked stream. */
import { randomBytes } from 'node:crypto';
import type { Duplex } from 'node:stream';
import type Docker from 'dockerode';
import type { OutputPiece, RunningExec, Shells } from '../domain/exec.ts';
import { endProcesses, MARK } from './container-processes.ts';
import { failed, orAway, orGone } from './engine-errors.ts';
import { HEADER, readHeader } from './engine-frames.ts';
import { startHijacked } from './engine-hijack.ts';

/** @param instance so that what a Treehouse left behind as it was killed is known at its next start */
export function engineShells(docker: Docker, instance: string): Shells {
  return {
    async exec(id, { command, terminal }) {
      const give = (cause: unknown): never => {
        throw failed(`running ${command[0]}`, cause, 'start-failed');
      };
      const container = docker.getContainer(id);
      const isTty = terminal !== undefined;
      const mark = `${instance}.${randomBytes(8).toString('hex')}`;
      const exec = await container
        .exec({
          ...{ Cmd: [...command], AttachStdin: true, AttachStdout: true, AttachStderr: true, Tty: isTty },
          // A size that came after its start might find it begun, or not there yet.
          ...(terminal ? { ConsoleSize: [terminal.rows, terminal.columns] } : {}),
          // Whatever it begins has it too.
          Env: [`${MARK}=${mark}`, ...(isTty ? ['TERM=xterm-256color'] : [])],
        })
        .catch(give);
      const stream = await startHijacked(docker, exec).catch(give);
      // Whoever reads or writes hears of it.
      stream.on('error', () => undefined);
      const resize: RunningExec['resize'] = async ({ columns, rows }) => {
        // It may have ended, or not be there yet.
        await exec.resize({ w: columns, h: rows }).catch(() => undefined);
      };
      return {
        output: splitOutput(stream),
        input: stream,
        resize,
        async exitCode() {
          const info = await orAway('looking at a command', exec.inspect());
          return info.Running ? undefined : (info.ExitCode ?? undefined);
        },
        async end() {
          stream.destroy();
          const info = await orGone(exec.inspect());
          if (!info?.Running) return true;
          if (await endProcesses(docker, { container: id, root: info.Pid, mark })) return true;
          return (await orGone(exec.inspect()))?.Running !== true;
        },
      };
    },
  };
}

/** As it comes, also of a piece that is not whole yet: a command may wait for an answer to it. */
async function* splitOutput(stream: Duplex): AsyncGenerator<OutputPiece> {
  let header = Buffer.alloc(0);
  let channel: OutputPiece['channel'] = 'stdout';
  let left = 0;
  for await (const chunk of stream) {
    let rest = chunk as Buffer;
    while (rest.length > 0) {
      if (left > 0) {
        const data = rest.subarray(0, left);
        left -= data.length;
        rest = rest.subarray(data.length);
        yield { channel, data };
        continue;
      }
      const missing = HEADER - header.length;
      header = Buffer.concat([header, rest.subarray(0, missing)]);
      rest = rest.subarray(missing);
      if (header.length < HEADER) break;
      ({ channel, length: left } = readHeader(header));
      header = Buffer.alloc(0);
    }
  }
}
