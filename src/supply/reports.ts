/** The reports of Trivy (JSON, schema version 2), Grype (JSON) and Clair (v4, VulnerabilityReport) as findings. */
import { z } from 'zod';
import type { Finding } from '../domain/supply.ts';
import { severityOf } from './findings.ts';

const LONG = 300;
const text = z.string().nullish();

const trivySchema = z.object({
  SchemaVersion: z.literal(2),
  ArtifactName: z.string(),
  Results: z
    .array(
      z.object({
        Vulnerabilities: z
          .array(
            z.object({
              VulnerabilityID: z.string(),
              PkgName: z.string(),
              InstalledVersion: text,
              FixedVersion: text,
              Severity: text,
              Title: text,
              PrimaryURL: text,
            }),
          )
          .nullish(),
      }),
    )
    .nullish(),
});

const grypeSchema = z.object({
  matches: z.array(
    z.object({
      vulnerability: z.object({
        id: z.string(),
        dataSource: text,
        severity: text,
        description: text,
        urls: z.array(z.string()).nullish(),
        fix: z.object({ versions: z.array(z.string()).nullish() }).nullish(),
      }),
      relatedVulnerabilities: z.array(z.object({ id: z.string(), description: text })).nullish(),
      artifact: z.object({ name: z.string(), version: text }),
    }),
  ),
  descriptor: z.object({ name: z.string() }),
});

const clairSchema = z.object({
  manifest_hash: z.string(),
  packages: z.record(z.string(), z.object({ name: z.string(), version: text })),
  vulnerabilities: z.record(
    z.string(),
    z.object({
      name: z.string(),
      description: text,
      links: text,
      normalized_severity: text,
      fixed_in_version: text,
    }),
  ),
  package_vulnerabilities: z.record(z.string(), z.array(z.string()).nullable()),
});

/** @throws where it is not such a report: a scanner that says nothing did not find nothing. */
export function readTrivy(report: unknown): readonly Finding[] {
  const { Results } = trivySchema.parse(report);
  return (Results ?? []).flatMap((result) =>
    (result.Vulnerabilities ?? []).map((one) =>
      finding({
        id: one.VulnerabilityID,
        package: one.PkgName,
        version: one.InstalledVersion,
        fixedIn: one.FixedVersion,
        severity: one.Severity,
        title: one.Title,
        url: one.PrimaryURL,
      }),
    ),
  );
}

export function readGrype(report: unknown): readonly Finding[] {
  return grypeSchema.parse(report).matches.map(({ vulnerability, relatedVulnerabilities, artifact }) =>
    finding({
      id: vulnerability.id,
      package: artifact.name,
      version: artifact.version,
      fixedIn: vulnerability.fix?.versions?.join(', '),
      severity: vulnerability.severity,
      // Distributions' own entries have no words; those that they stand for do.
      title: vulnerability.description || relatedVulnerabilities?.find((one) => one.description)?.description,
      url: vulnerability.dataSource || vulnerability.urls?.[0],
    }),
  );
}

export function readClair(report: unknown): readonly Finding[] {
  const { packages, vulnerabilities, package_vulnerabilities } = clairSchema.parse(report);
  return Object.entries(package_vulnerabilities).flatMap(([key, ids]) =>
    (ids ?? []).map((id) => {
      const one = Object.hasOwn(vulnerabilities, id) ? vulnerabilities[id] : undefined;
      const found = Object.hasOwn(packages, key) ? packages[key] : undefined;
      if (!one || !found) throw new Error(`the report names a vulnerability ${id} or package ${key} that is not in it`);
      return finding({
        id: one.name,
        package: found.name,
        version: found.version,
        fixedIn: one.fixed_in_version,
        severity: one.normalized_severity,
        title: one.description,
        url: one.links?.split(' ')[0],
      });
    }),
  );
}

/** @throws an error that says what is wrong with it. */
export function readReport(read: (report: unknown) => readonly Finding[], body: string): readonly Finding[] {
  let report: unknown;
  try {
    report = JSON.parse(body);
  } catch (cause) {
    throw new Error(body.trim() === '' ? 'it said nothing' : 'its report is not JSON', { cause });
  }
  try {
    return read(report);
  } catch (cause) {
    throw new Error('its report has not the documented form', { cause });
  }
}

type Raw = { readonly [key in keyof Finding]: string | null | undefined };

function finding(raw: Raw): Finding {
  return {
    id: plain(raw.id),
    package: plain(raw.package),
    version: plain(raw.version),
    fixedIn: plain(raw.fixedIn) || undefined,
    severity: severityOf(raw.severity ?? ''),
    title: plain(raw.title),
    url: plain(raw.url) || undefined,
  };
}

/** One line, not too long: an image's own metadata is in there. */
function plain(value: string | null | undefined): string {
  return (value ?? '')
    .replaceAll(/[\s\p{Cc}]+/gu, ' ')
    .trim()
    .slice(0, LONG);
}
