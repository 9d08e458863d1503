/** What the command line is given of GitHub, and what it is told of where there is none. */
import type { Config } from './config.ts';
import type { Repository } from './domain/ports.ts';
import { unaskedPaths } from './domain/selection.ts';
import { appFile, gitHubOfHome, readAppFile, writeAppFile } from './github/app-file.ts';
import { convertCode } from './github/conversion.ts';
import { webOf } from './github/manifest.ts';
import { openHome } from './home.ts';
import type { Logger } from './log.ts';
import type { GitHubPlace } from './terminal/github.ts';

interface Settings {
  readonly home: string;
  readonly host: string;
  readonly port: number;
  readonly adminHost: string | undefined;
}

/** GitHub, or the Enterprise server of GITHUB_API_URL, and the App of this home there. */
export function gitHubPlace(env: Readonly<Record<string, string | undefined>>, settings: Settings): GitHubPlace {
  const { home, host, port, adminHost } = settings;
  const apiUrl = (env.GITHUB_API_URL || 'https://api.github.com').replace(/\/+$/, '');
  return {
    file: appFile(home),
    web: webOf(apiUrl),
    homepage: adminHost === undefined ? `http://${host}:${port}/` : `https://${adminHost}/`,
    isSaid: Boolean(env.GITHUB_TOKEN || env.GITHUB_TOKEN_FILE || env.GITHUB_APP_ID),
    read: () => readAppFile(home),
    async take(code, fresh) {
      const app = await convertCode({ apiUrl, code });
      await openHome(home);
      await writeAppFile(home, app, fresh);
      return app;
    },
  };
}

/** What of a repository's settings cannot be asked of GitHub, for people; none where there are credentials. */
export function unaskedOf(config: Pick<Config, 'github' | 'home'>, repository: Repository): readonly string[] {
  const unasked = config.github || gitHubOfHome(config.home) ? undefined : unaskedPaths(repository);
  return unasked === undefined ? [] : [unasked];
}

/**
 * The same for the log of a Treehouse that runs.
 * @returns to be called at the start and with each change: what was said of a repository is not said again while it holds
 */
export function tellOfUnasked(hasForge: boolean, log: Logger): (repositories: readonly Repository[]) => void {
  let told: ReadonlySet<string> = new Set();
  return (repositories) => {
    const now = new Set<string>();
    for (const one of hasForge ? [] : repositories) {
      const words = unaskedPaths(one);
      if (words === undefined) continue;
      now.add(words);
      if (!told.has(words)) log.warn({ repository: one.name }, words);
    }
    told = now;
  };
}
