/** Ships what previews' containers print to where an admin wants it. */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { Frame, Printing, ShipTo } from '../domain/shipping.ts';
import { messageOf } from '../errors.ts';
import type { Logger } from '../log.ts';
import { writeWhole } from '../whole-file.ts';
import { type FollowOptions, followPrinting } from './follow.ts';
import { gelfFrame } from './gelf.ts';
import { openSender, type SenderOptions } from './sender.ts';
import { syslogFrame } from './syslog.ts';

const FRAMES: Readonly<Record<ShipTo['format'], Frame>> = { syslog: syslogFrame, gelf: gelfFrame };
/** How often it is noted how far it came: what a crash makes come twice. */
const NOTE_MS = 10_000;
const CLOSE_MS = 2_000;

export interface ShipOptions
  extends Pick<FollowOptions, 'printing' | 'follow' | 'watch'>,
    Pick<SenderOptions, 'onCount'> {
  readonly to: ShipTo;
  readonly home: string;
  readonly log: Logger;
}

/** Goes on where the last Treehouse of the home stopped; the first begins with what is printed from now on. */
export async function shipLogs(options: ShipOptions): Promise<{ stop(): Promise<void> }> {
  const { to, log, onCount } = options;
  const file = path.join(options.home, 'shipped-until');
  const since = await readUntil(file);
  const sender = openSender({ ...to, log, onCount });
  let newest = since;
  let noted = since;
  const following = followPrinting({
    ...{ printing: options.printing, follow: options.follow, watch: options.watch, since, log },
    onLine(of: Printing, line) {
      if (line.at > newest) newest = line.at;
      sender.send(FRAMES[to.format](of, line));
    },
  });
  const note = async (): Promise<void> => {
    if (newest === noted) return;
    const now = newest;
    await writeWhole(file, `${now}\n`).catch((error: unknown) =>
      log.warn({ reason: messageOf(error) }, 'how far logs were shipped could not be noted'),
    );
    noted = now;
  };
  const timer = setInterval(() => void note(), NOTE_MS);
  timer.unref();
  return {
    async stop() {
      clearInterval(timer);
      await following.stop();
      await sender.close(CLOSE_MS);
      await note();
    },
  };
}

async function readUntil(file: string): Promise<string> {
  const text = await readFile(file, 'utf8').catch(() => '');
  return Number.isNaN(Date.parse(text.trim())) ? new Date().toISOString() : text.trim();
}
