/** What fails on a full disk: says which one it is, and is tried again, since the commit may not be at fault. */
import { type FaultCode, messageOf, TreehouseError } from '../errors.ts';
import type { ConvergeDeps } from './deps.ts';

/** What a program makes of a write that fails is its own affair. */
const MAY_BE_FOR_IT: ReadonlySet<FaultCode> = new Set([
  ...(['git-failed', 'build-failed', 'image-missing', 'test-failed', 'push-failed'] as const),
  ...(['start-failed', 'not-healthy', 'seed-failed', 'secret-failed', 'process-failed', 'engine-away'] as const),
]);

export async function namingDisk(deps: Pick<ConvergeDeps, 'fullest'>, error: unknown): Promise<unknown> {
  const code = error instanceof TreehouseError ? error.code : undefined;
  const isSure = code === 'disk-full';
  if (!isSure && code !== undefined && !MAY_BE_FOR_IT.has(code)) return error;
  const disk = await deps.fullest();
  if (!disk || !(isSure ? disk.isNear : disk.isOut)) return error;
  const text = isSure ? `(${disk.text})` : `(${disk.text}: once there is room it is tried again)`;
  return new TreehouseError('disk-full', `${messageOf(error)} ${text}`, { kind: 'transient', cause: error });
}
