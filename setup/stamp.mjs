// Notes in dist/built.json which commit dist was built from, for `treehouse --version`: that of the checkout unless its sources were
// changed since, or TREEHOUSE_COMMIT, as in an image's build, which has no checkout.
import { execFileSync } from 'node:child_process';
import { realpathSync, writeFileSync } from 'node:fs';

const project = new URL('..', import.meta.url);

function git(...args) {
  try {
    const options = { cwd: project, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] };
    return execFileSync('git', args, options).trim();
  } catch {
    return '';
  }
}

/** A checkout of another repository around this folder says nothing of it. */
function ofCheckout() {
  const isOwn = git('rev-parse', '--show-toplevel') === realpathSync(project).replace(/\/$/, '');
  const isChanged = git('status', '--porcelain', '--', 'src', 'package.json', 'package-lock.json') !== '';
  return isOwn && !isChanged ? git('rev-parse', 'HEAD') : '';
}

const commit = process.env.TREEHOUSE_COMMIT || ofCheckout();
const known = /^[0-9a-f]{12,64}$/.test(commit) ? { commit: commit.slice(0, 12) } : {};
writeFileSync(new URL('dist/built.json', project), `${JSON.stringify(known)}\n`);
