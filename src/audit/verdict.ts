/** What a rule says of one subject. */
import type { Talk } from './talk.ts';

export const SEVERITIES = ['info', 'warn', 'fail'] as const;
export type Severity = (typeof SEVERITIES)[number];

/** Undefined: it is as it should be. */
export type Verdict = Found | { readonly unseen: string } | undefined;

export interface Found {
  readonly found: string;
  /** Where it is not the rule's own. */
  readonly severity?: Severity;
}

export interface Rule<Subject> {
  readonly id: string;
  /** What should be. */
  readonly title: string;
  readonly from: Talk;
  readonly severity: Severity;
  /** What to do where it is not so. */
  readonly todo: string;
  readonly judge: (subject: Subject) => Verdict;
}

export function found(text: string, severity?: Severity): Found {
  return severity === undefined ? { found: text } : { found: text, severity };
}
