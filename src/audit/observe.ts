/** One look at everything; nothing is asked after it. */
import { messageOf } from '../errors.ts';
import { type Facts, isUnseen, type Settings } from './facts.ts';
import type { AuditEngine, AuditHost } from './ports.ts';

export interface ObserveInput {
  readonly engine: AuditEngine;
  readonly host: AuditHost;
  readonly settings: Settings;
  /** Absolute, if there is one. */
  readonly configFile: string | undefined;
  readonly at: number;
}

export async function observeFacts(input: ObserveInput): Promise<Facts> {
  const { settings } = input;
  const engine = await input.engine.observe().catch((error: unknown) => ({ unseen: messageOf(error) }));
  const [host, home] = await Promise.all([
    input.host.observe(settings, isUnseen(engine) ? undefined : engine.rootDir),
    input.host.home(settings, input.configFile),
  ]);
  return { at: input.at, host, home, settings, engine };
}
