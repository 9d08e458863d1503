/** What an audit needs from outside; adapters/ reads it. */
import type { EngineFacts, HomeFacts, HostFacts, Settings } from './facts.ts';

export interface AuditEngine {
  /** @throws {TreehouseError} `engine-away`. */
  observe(): Promise<EngineFacts>;
}

export interface AuditHost {
  /** Reads alone; what may not be read is unseen. `rootDir` is where the engine keeps its data, if it told. */
  observe(settings: Settings, rootDir: string | undefined): Promise<HostFacts>;
  home(settings: Settings, configFile: string | undefined): Promise<HomeFacts>;
}
