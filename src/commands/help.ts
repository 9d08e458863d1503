/** What can be asked for in a comment, as it is said there. */
export const HELP = [
  '| a line of a comment | |',
  '|---|---|',
  '| `/preview up` | bring it up: wake it, or build it where it failed or was taken down |',
  '| `/preview redeploy` | build and start the newest commit anew |',
  '| `/preview sleep`, `/preview wake` | stop it until somebody visits it; start it again |',
  '| `/preview down` | remove it with its data, until there is a new commit |',
  '| `/preview pin 8h`, `/preview unpin` | keep it awake and there for so long |',
  '| `/preview logs SERVICE` | the last lines that a service printed |',
  '| `/preview approve COMMIT` | of a fork: this commit was looked at, and may be built |',
].join('\n');
