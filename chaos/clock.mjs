// Loaded into Treehouse before its own code: the time of day is off by what a file says, and jumps when the process is told (SIGUSR2).
// Timers and performance.now() go on as they do when a real clock is set.
import { readFileSync } from 'node:fs';

const Real = Date;
let offset = 0;

function read() {
  try {
    offset = Number(readFileSync(process.env.CHAOS_CLOCK, 'utf8')) || 0;
  } catch {
    offset = 0;
  }
}

globalThis.Date = class extends Real {
  constructor(...args) {
    if (args.length === 0) super(Real.now() + offset);
    else super(...args);
  }
  static now() {
    return Real.now() + offset;
  }
};
read();
process.on('SIGUSR2', read);
