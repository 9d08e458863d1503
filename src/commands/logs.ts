/** The last lines of a service, for people who read them where others do too: short, plain and without secrets. */

import { plain } from '../domain/plain.ts';
import type { PreviewRecord } from '../domain/preview.ts';
import type { CommandDeps } from './deps.ts';

const LINES = 20;
const LINE_CHARS = 300;

/** @returns the lines and what they are of, or why there are none */
export async function lastLines(
  deps: Pick<CommandDeps, 'engine' | 'redactor'>,
  record: PreviewRecord,
  { service, signal }: { readonly service: string | undefined; readonly signal: AbortSignal },
): Promise<{ readonly text: string; readonly lines: readonly string[] } | { readonly why: string }> {
  const { containers } = await deps.engine.observe(record.id);
  const app = containers.filter((one) => one.role === 'app').sort((a, b) => (a.name < b.name ? 1 : -1));
  const isAsked =
    service === undefined ? app.filter((one) => one.exposed) : app.filter((one) => one.service === service);
  const [container] = isAsked.length > 0 || service !== undefined ? isAsked : app;
  if (!container) {
    const known = [...new Set(app.map((one) => `\`${one.service}\``))].sort().join(', ');
    return { why: known === '' ? 'Nothing of it runs.' : `It has no service of this name; it has ${known}.` };
  }
  const redact = await deps.redactor(record, [container], signal);
  const lines: string[] = [];
  await deps.engine.logs(container.id, { tail: LINES, follow: false }, (line) => lines.push(line), signal);
  const shown = lines.slice(-LINES).map((line) => cut(plain(redact(line))));
  return { text: `The last lines of \`${container.service}\`:`, lines: shown };
}

function cut(line: string): string {
  return line.length > LINE_CHARS ? `${line.slice(0, LINE_CHARS)}…` : line;
}
