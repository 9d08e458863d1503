/** The settings `policy:`, `capabilities:` and `limits:` of a repository in `treehouse.yml`. */
import { z } from 'zod';
import { DEFAULT_LIMITS, type Limits, type PolicyRules } from '../domain/isolation.ts';
import { faultsOf } from './policy.ts';

const UNITS: Readonly<Record<string, number>> = { '': 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30 };

/** Bytes, or `512m`, `2g`. */
export const size = z
  .union([z.number().int().positive(), z.string().regex(/^\d{1,15}[kmg]?$/i, 'it is a size such as 512m or 2g')])
  .transform((value) => {
    const [, count = '', unit = ''] = /^(\d+)([kmg]?)$/i.exec(String(value)) ?? [];
    return Number(count) * (UNITS[unit.toLowerCase()] ?? 1);
  })
  .refine((bytes) => bytes >= 4 * 2 ** 20, 'it is at least 4m');

const limits = z.strictObject({
  memory: size.optional(),
  cpus: z.number().positive().max(1024).optional(),
  pids: z.number().int().min(8).max(4_194_304).optional(),
  files: z.number().int().min(64).max(1_048_576).optional(),
  fileSize: size.optional(),
  shm: size.optional(),
  tmpfs: size.optional(),
  readOnly: z.boolean().optional(),
});

/** Of one repository; all of them optional. */
export const policyFields = {
  policy: z.record(z.string(), z.enum(['allow', 'drop', 'refuse'])).optional(),
  capabilities: z
    .array(z.string().regex(/^(?:CAP_)?[A-Z_]{1,40}$/, 'it is a name such as SYS_PTRACE'))
    .transform((all) => all.map((one) => one.replace(/^CAP_/, '')))
    .optional(),
  limits: limits.optional(),
};

interface Given {
  readonly policy?: PolicyRules['keys'] | undefined;
  readonly capabilities?: readonly string[] | undefined;
  readonly limits?: z.output<typeof limits> | undefined;
}

/** Undefined where nothing is said. */
export function policyRules({ policy, capabilities, limits: asked }: Given): PolicyRules | undefined {
  if (!policy && !capabilities && !asked) return undefined;
  return { keys: policy ?? {}, capabilities: capabilities ?? [], limits: limitsOf(asked) };
}

/** For zod's `superRefine`: each key that policy does not let an admin change so. */
export function refinePolicy(given: Given, context: z.RefinementCtx): void {
  for (const message of faultsOf({ keys: given.policy ?? {}, capabilities: given.capabilities ?? [] })) {
    context.addIssue({ code: 'custom', path: ['policy'], message });
  }
}

/** What is said is the most; what a service gets that asks for nothing stays, unless that is more. */
function limitsOf(asked: Given['limits']): Limits {
  const { memory, cpus, pids, ...rest } = asked ?? {};
  const both = (usual: { usual: number; most: number }, most: number | undefined) =>
    most === undefined ? usual : { usual: Math.min(usual.usual, most), most };
  const said = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined));
  return {
    ...DEFAULT_LIMITS,
    ...said,
    memory: both(DEFAULT_LIMITS.memory, memory),
    cpus: both(DEFAULT_LIMITS.cpus, cpus),
    pids: both(DEFAULT_LIMITS.pids, pids),
  };
}
