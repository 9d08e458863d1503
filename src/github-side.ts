/** What the command line is given of GitHub. */
import { appFile, readAppFile, writeAppFile } from './github/app-file.ts';
import { convertCode } from './github/conversion.ts';
import { webOf } from './github/manifest.ts';
import { openHome } from './home.ts';
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
