/** Grades for people and for programs. Pure. */
import pc from 'picocolors';
import type { Finding, Grades, NotSeen, Subject } from './grade.ts';
import { SEVERITIES, type Severity } from './verdict.ts';

export interface Terminal {
  readonly colours: boolean;
  /** Infinity where it is no terminal. */
  readonly columns: number;
}

type Colours = ReturnType<typeof pc.createColors>;
const MARKS: Readonly<Record<Severity, string>> = { fail: '✘', warn: '!', info: '·' };
/** As long as the longest rule's name, nearly. */
const RULE_WIDTH = 19;
const INDENT = ' '.repeat(2 + 7 + RULE_WIDTH + 1);

export function reportText(grades: Grades, terminal: Terminal): string {
  const colours = pc.createColors(terminal.colours);
  const blocks = mergeSame(groupBySubject(grades.findings).map((group) => block(group, colours, terminal.columns)));
  const parts = blocks.map(({ headings, lines }) =>
    [...wrap(headings.join(', '), terminal.columns, '').map(colours.bold), ...lines].join('\n'),
  );
  if (grades.unseen.length > 0) {
    parts.push([colours.bold('not seen'), ...unseenLines(grades.unseen, terminal.columns)].join('\n'));
  }
  return [...parts, summary(grades, colours)].join('\n\n');
}

export function reportJson(grades: Grades, failOn: Severity, isFailed: boolean): string {
  const { at, ...rest } = grades;
  return JSON.stringify({ at: new Date(at).toISOString(), failOn, failed: isFailed, ...rest }, null, 2);
}

function summary({ counts, containers, findings }: Grades, colours: Colours): string {
  const paint: Readonly<Record<Severity, (text: string) => string>> = {
    fail: colours.red,
    warn: colours.yellow,
    info: colours.cyan,
  };
  const found = [...SEVERITIES].reverse().map((one) => {
    const text = `${counts[one]} ${one}`;
    return counts[one] > 0 ? paint[one](text) : colours.dim(text);
  });
  const isAway = findings.some((one) => one.rule === 'engine-seen');
  const running =
    containers === 0 ? 'no preview runs' : `${containers} ${containers === 1 ? 'container' : 'containers'}`;
  const of = isAway ? 'what runs is not known' : running;
  const seen = counts.unseen > 0 ? `, ${counts.unseen} not seen` : '';
  return `${found.join(', ')} · ${counts.passed} passed${seen} · ${of}`;
}

interface Group {
  readonly subject: Subject;
  /** Of one rule and one finding all parts. */
  readonly rows: { readonly finding: Finding; readonly parts: string[] }[];
}

/** The host, then repositories, then previews; findings come the gravest first. */
function groupBySubject(findings: readonly Finding[]): readonly Group[] {
  const groups = new Map<string, Group>();
  for (const finding of findings) {
    const key = `${finding.subject.kind} ${finding.subject.name}`;
    const group: Group = groups.get(key) ?? { subject: finding.subject, rows: [] };
    groups.set(key, group);
    const same = group.rows.find(
      ({ finding: one }) =>
        one.rule === finding.rule && one.found === finding.found && one.severity === finding.severity,
    );
    const part = finding.subject.part;
    const parts = part === undefined ? [] : [part];
    if (!same) group.rows.push({ finding, parts });
    else if (part !== undefined && !same.parts.includes(part)) same.parts.push(part);
  }
  const rank = { host: 0, repository: 1, preview: 2 };
  return [...groups.values()].sort(
    (a, b) => rank[a.subject.kind] - rank[b.subject.kind] || (a.subject.name < b.subject.name ? -1 : 1),
  );
}

interface Block {
  readonly headings: readonly string[];
  readonly lines: readonly string[];
}

function block(group: Group, colours: Colours, columns: number): Block {
  const paint = { fail: colours.red, warn: colours.yellow, info: colours.cyan };
  const lines = group.rows.flatMap(({ finding, parts }) => {
    const { severity } = finding;
    const mark = paint[severity](`${MARKS[severity]} ${severity}`);
    const text = `${parts.length > 0 ? `${parts.join(', ')}: ` : ''}${finding.found}`;
    const [first = '', ...more] = wrap(text, columns, INDENT);
    const todo = wrap(`→ ${finding.todo}`, columns, INDENT).map((line) => colours.dim(line));
    return [`  ${mark} ${finding.rule.padEnd(RULE_WIDTH)} ${first.slice(INDENT.length)}`, ...more, ...todo];
  });
  const { kind, name } = group.subject;
  return { headings: [kind === 'repository' ? `repository ${name}` : name], lines };
}

/** Twenty previews of one stack say the same: it is said once, of all of them. */
function mergeSame(blocks: readonly Block[]): readonly Block[] {
  const merged = new Map<string, Block>();
  for (const one of blocks) {
    const key = one.lines.join('\n');
    const before = merged.get(key);
    merged.set(key, before ? { ...before, headings: [...before.headings, ...one.headings] } : one);
  }
  return [...merged.values()];
}

function unseenLines(unseen: readonly NotSeen[], columns: number): readonly string[] {
  const byReason = new Map<string, Set<string>>();
  for (const one of unseen) byReason.set(one.why, (byReason.get(one.why) ?? new Set()).add(one.rule));
  return [...byReason].flatMap(([why, rules]) =>
    wrap(`? ${[...rules].join(', ')}: ${why}`, columns, '  ').map((line) => line),
  );
}

/** Lines of at most that many characters, each with the indent; a word that is longer stays whole. */
function wrap(text: string, columns: number, indent: string): readonly string[] {
  const width = Math.max(columns - indent.length, 40);
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(indent + line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, indent + line];
}
