/** Every rule asked of every subject. Pure. */
import { type ContainerFacts, type Facts, isUnseen } from './facts.ts';
import { containerRules, DOCKERFILE_RULES, HOST_RULES, REPOSITORY_RULES } from './rules.ts';
import { shown } from './shown.ts';
import { type Rule, SEVERITIES, type Severity } from './verdict.ts';

export interface Subject {
  readonly kind: 'host' | 'repository' | 'preview';
  /** Of the repository or preview. */
  readonly name: string;
  /** Which service or file of it. */
  readonly part?: string;
  /** The container's id, its beginning. */
  readonly container?: string;
}

export interface Finding {
  readonly rule: string;
  readonly severity: Severity;
  readonly subject: Subject;
  /** What should be. */
  readonly title: string;
  readonly found: string;
  readonly todo: string;
  /** Where the talk says so. */
  readonly from: string;
}

export interface NotSeen {
  readonly rule: string;
  readonly subject: Subject;
  readonly why: string;
}

export interface Grades {
  readonly at: number;
  readonly containers: number;
  readonly findings: readonly Finding[];
  readonly unseen: readonly NotSeen[];
  readonly counts: Readonly<Record<Severity | 'passed' | 'unseen', number>>;
}

const HOST: Subject = { kind: 'host', name: 'host' };

export function gradeFacts(facts: Facts): Grades {
  const findings: Finding[] = [];
  const unseen: NotSeen[] = [];
  let passed = 0;

  function ask<T>(rules: readonly Rule<T>[], asked: T, subject: Subject): void {
    for (const rule of rules) {
      const verdict = rule.judge(asked);
      if (verdict === undefined) passed += 1;
      else if ('unseen' in verdict) unseen.push({ rule: rule.id, subject, why: shown(verdict.unseen) });
      else {
        const { id, title, todo, from } = rule;
        const severity = verdict.severity ?? rule.severity;
        findings.push({ rule: id, severity, subject, title, found: verdict.found, todo, from });
      }
    }
  }

  ask(HOST_RULES, facts, HOST);
  for (const one of facts.settings.repositories) ask(REPOSITORY_RULES, one, { kind: 'repository', name: one.name });
  const containers = isUnseen(facts.engine) ? [] : facts.engine.containers;
  const rules = containerRules(facts);
  for (const one of containers) ask(rules, one, subjectOf(one));
  for (const one of facts.home.dockerfiles) {
    ask(DOCKERFILE_RULES, one, { kind: 'preview', name: shown(one.preview), part: shown(one.path) });
  }
  const count = (severity: Severity) => findings.filter((one) => one.severity === severity).length;
  return {
    at: facts.at,
    containers: containers.length,
    findings: findings.sort((a, b) => SEVERITIES.indexOf(b.severity) - SEVERITIES.indexOf(a.severity)),
    unseen,
    counts: { fail: count('fail'), warn: count('warn'), info: count('info'), passed, unseen: unseen.length },
  };
}

/** Whether something is as grave as that, or graver. */
export function isReached(grades: Grades, threshold: Severity): boolean {
  return grades.findings.some((one) => SEVERITIES.indexOf(one.severity) >= SEVERITIES.indexOf(threshold));
}

function subjectOf(one: ContainerFacts): Subject {
  return { kind: 'preview', name: shown(one.preview), part: shown(one.service), container: one.id.slice(0, 12) };
}
