/** The settings `images:` and `scan:` of a repository in `treehouse.yml`. */
import { z } from 'zod';
import { type ImageRules, type ScanSettings, SEVERITIES } from '../domain/supply.ts';

const HOST = /^(?=.{1,255}$)(?:[a-z0-9.-]+|\[[0-9a-f:]+\])(?::\d{1,5})?$/i;
const UNITS = { s: 1_000, m: 60_000, h: 3_600_000 } as const;
const httpUrl = z.url({ protocol: /^https?$/, error: 'it is http://host:port' });

export const imageRulesSchema: z.ZodType<ImageRules> = z.strictObject({
  registries: z
    .array(z.string().regex(HOST, 'it is a host and port, such as docker.io or registry.acme.internal:5000'))
    .optional(),
  allow: z.array(z.string().min(1).max(255)).optional(),
  pin: z.enum(['off', 'require']).default('off'),
});

/** Seconds, or `90s`, `5m`, `1h`. */
const duration = z
  .union([z.number().positive(), z.string().regex(/^\d{1,6}[smh]?$/, 'it is a time such as 90s or 5m')])
  .transform((value) => {
    const unit = String(value).at(-1) as keyof typeof UNITS;
    return Number.parseFloat(String(value)) * (UNITS[unit] ?? UNITS.s);
  });

export const scanSchema: z.ZodType<ScanSettings> = z
  .strictObject({
    by: z.enum(['trivy', 'grype', 'clair']),
    mode: z.enum(['gate', 'report']).default('gate'),
    severity: z.enum(SEVERITIES).default('high'),
    ignoreUnfixed: z.boolean().default(false),
    timeout: duration.default(5 * UNITS.m),
    command: z
      .union([
        z
          .string()
          .min(1)
          .transform((word) => [word]),
        z.array(z.string().min(1)).min(1),
      ])
      .optional(),
    url: httpUrl.optional(),
    registryUrl: httpUrl.optional(),
  })
  .superRefine((scan, context) => {
    const fault = (key: string, message: string) => context.addIssue({ code: 'custom', path: [key], message });
    if (scan.by === 'clair' && scan.url === undefined) fault('url', 'clair is asked over HTTP; say where it is');
    if (scan.by === 'clair' && scan.command) fault('command', 'clair is asked over HTTP, not run');
    if (scan.by !== 'clair' && (scan.url || scan.registryUrl)) fault('url', `${scan.by} is run as a command`);
  })
  .transform(({ timeout, ...scan }) => ({ ...scan, timeoutMs: timeout }));
