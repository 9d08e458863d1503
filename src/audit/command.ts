/** `treehouse audit`: grades this host and what runs on it by what the talk recommends. */
import type { Command } from 'commander';
import { TreehouseError } from '../errors.ts';
import type { Settings } from './facts.ts';
import { gradeFacts, isReached } from './grade.ts';
import { observeFacts } from './observe.ts';
import type { AuditEngine, AuditHost } from './ports.ts';
import { reportJson, reportText, type Terminal } from './report.ts';
import { SEVERITIES, type Severity } from './verdict.ts';

export interface AuditCommandDeps {
  /** Read when the verb runs. */
  config(): Settings;
  /** The configuration's file, absolute, whether or not it is there. */
  configFile(): string;
  engine(settings: Settings): Promise<AuditEngine>;
  host(settings: Settings): AuditHost;
  print(text: string): void;
  readonly terminal: Terminal;
  now(): number;
  /** What the process ends with. */
  exit(code: number): void;
}

export function auditCommand(program: Command, deps: AuditCommandDeps): void {
  program
    .command('audit')
    .option('--json', 'for a program')
    .option('--fail-on <severity>', 'end with 1 where something is as grave: info, warn or fail', 'fail')
    .description('grade this host and the running previews: what is not as it should be, and what to do about it')
    .action(async (options: { json?: boolean; failOn: string }) => {
      const failOn = severity(options.failOn);
      const settings = deps.config();
      const facts = await observeFacts({
        engine: await deps.engine(settings),
        host: deps.host(settings),
        settings,
        configFile: deps.configFile(),
        at: deps.now(),
      });
      const grades = gradeFacts(facts);
      const isFailed = isReached(grades, failOn);
      deps.print(options.json === true ? reportJson(grades, failOn, isFailed) : reportText(grades, deps.terminal));
      if (isFailed) deps.exit(1);
    });
}

function severity(text: string): Severity {
  const known = SEVERITIES.find((one) => one === text);
  if (known) return known;
  throw new TreehouseError('bad-config', `--fail-on is one of ${SEVERITIES.join(', ')}, not '${text}'`);
}
