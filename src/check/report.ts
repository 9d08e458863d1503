/** A check's report for people. Pure. */
import pc from 'picocolors';
import { written } from '../domain/duration.ts';
import { plain } from '../domain/plain.ts';
import type { CheckReport } from './check.ts';

/** Where each rule and row is explained. */
const PAGES = 'docs/policy.md and docs/images.md';

/** @param warnings of the repository's entry, which do not change what a push would meet */
export function reportText(report: CheckReport, colours: boolean, warnings: readonly string[] = []): string {
  const paint = pc.createColors(colours);
  const lines = warnings.map((one) => `${paint.yellow('!')} ${plain(one)}`);
  if (report.template !== undefined) {
    lines.push(`no compose file: taken for a ${report.template} project (templates/${report.template})`);
  }
  for (const { at, ...said } of report.refusals) {
    const [path, message] = [plain(said.path), plain(said.message)];
    const where = [...(at ? [`${at.file}:${at.line}`] : []), ...(path === '.' ? [] : [path])].join('  ');
    lines.push(
      where === '' ? `${paint.red('✘')} ${message}` : `${paint.red('✘')} ${paint.bold(where)}\n    ${message}`,
    );
  }
  for (const { path, message } of report.changes) {
    lines.push(`${paint.yellow('~')} ${plain(path)}\n    ${paint.dim(plain(message))}`);
  }
  for (const { name, from, role } of report.services) {
    const exposed = report.exposed.find((one) => one.service === name);
    const open = exposed ? `, open to visitors${exposed.port === undefined ? '' : ` (port ${exposed.port})`}` : '';
    lines.push(`${paint.green('✔')} ${name}  ${paint.dim(`${plain(from)}${role === 'test' ? ', the test' : open}`)}`);
  }
  for (const { service, command } of report.seeds) {
    lines.push(`${paint.green('✔')} seed of ${service}  ${paint.dim(plain(command.join(' ')))}`);
  }
  if (report.idle !== null) lines.push(`${paint.green('✔')} sleeps after ${written(report.idle)} without a visit`);
  return [...lines, '', summary(report, paint)].join('\n').trimStart();
}

function summary(report: CheckReport, paint: ReturnType<typeof pc.createColors>): string {
  const count = (number: number, what: string) => `${number} ${what}${number === 1 ? '' : 's'}`;
  const changes = report.changes.length === 0 ? '' : `, ${count(report.changes.length, 'change')}`;
  if (report.accepted) {
    return paint.green(`a push of this would be built: ${count(report.services.length, 'service')}${changes}`);
  }
  return `${paint.red(`a push of this would be refused: ${count(report.refusals.length, 'reason')}${changes}`)}\n${paint.dim(`the rules: ${PAGES}`)}`;
}
