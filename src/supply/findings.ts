/** What scanners found, in one form: which of it counts, in which order, and in which words. */
import { type Finding, type ScanSettings, SEVERITIES, type Severity } from '../domain/supply.ts';

export function severityOf(text: string): Severity {
  const plain = text.toLowerCase();
  return SEVERITIES.find((one) => one === plain) ?? 'unknown';
}

/** What counts by the settings, the worst first, each once. */
export function relevant(
  findings: readonly Finding[],
  settings: Pick<ScanSettings, 'severity' | 'ignoreUnfixed'>,
): readonly Finding[] {
  const least = SEVERITIES.indexOf(settings.severity);
  const unique = new Map(findings.map((one) => [JSON.stringify([one.id, one.package, one.version]), one]));
  return [...unique.values()]
    .filter((one) => SEVERITIES.indexOf(one.severity) >= least && !(settings.ignoreUnfixed && !one.fixedIn))
    .sort((a, b) => SEVERITIES.indexOf(b.severity) - SEVERITIES.indexOf(a.severity) || compare(a, b));
}

function compare(a: Finding, b: Finding): number {
  const [one, other] = [a, b].map((finding) => `${finding.package} ${finding.id}`);
  return (one ?? '') < (other ?? '') ? -1 : 1;
}

const SHOWN = 5;

/** `1 critical, 3 high: CVE-2024-3094 in xz 5.6.0 (fixed in 5.6.2), …`. */
export function summary(findings: readonly Finding[]): string {
  if (findings.length === 0) return 'nothing found';
  const counts = [...SEVERITIES]
    .reverse()
    .map((severity) => [findings.filter((one) => one.severity === severity).length, severity] as const)
    .filter(([count]) => count > 0)
    .map(([count, severity]) => `${count} ${severity}`);
  const more = findings.length > SHOWN ? ', …' : '';
  return `${counts.join(', ')}: ${findings.slice(0, SHOWN).map(inWords).join(', ')}${more}`;
}

export function inWords(one: Finding): string {
  const fix = one.fixedIn === undefined ? 'no fix yet' : `fixed in ${one.fixedIn}`;
  return `${one.id} in ${one.package} ${one.version} (${fix})`;
}
