/** How busy this machine is: its processors since the last question, and its memory. */
import { cpus, freemem, totalmem } from 'node:os';

/** @returns what tells ratios from 0 to 1 */
export function hostLoad(): () => { readonly cpu: number; readonly memory: number } {
  let before = times();
  return () => {
    const now = times();
    const all = now.all - before.all;
    const cpu = all > 0 ? 1 - (now.idle - before.idle) / all : 0;
    before = now;
    return { cpu: Math.min(1, Math.max(0, cpu)), memory: 1 - freemem() / totalmem() };
  };
}

function times(): { readonly all: number; readonly idle: number } {
  let [all, idle] = [0, 0];
  for (const { times: one } of cpus()) {
    all += one.user + one.nice + one.sys + one.idle + one.irq;
    idle += one.idle;
  }
  return { all, idle };
}
