/** The sample: a copy of templates/sample as a repository of its own, with a clone to work in. */
import { cp, mkdir, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { runProcess } from './adapters/run-process.ts';

export interface Sample {
  /** A bare repository, as a remote. */
  readonly remote: string;
  /** A clone of it. */
  readonly work: string;
}

const BRANCH = 'main';

/** Made at the first call, under `<home>/sample`; found again later, with whatever was pushed to it. */
export async function openSample(home: string, template: string, searchPath: string): Promise<Sample> {
  const folder = path.join(home, 'sample');
  const sample = { remote: path.join(folder, 'sample.git'), work: path.join(folder, 'work') };
  const done = await stat(path.join(sample.work, '.git')).catch(() => undefined);
  if (done) return sample;
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const git = async (cwd: string, ...args: string[]) => {
    await runProcess({
      command: 'git',
      args,
      cwd,
      env: { PATH: searchPath, HOME: folder, GIT_CONFIG_NOSYSTEM: '1', GIT_CONFIG_GLOBAL: '/dev/null', LC_ALL: 'C' },
      timeoutMs: 30_000,
      signal: AbortSignal.timeout(60_000),
      act: 'making the sample repository',
    });
  };
  const seed = path.join(folder, 'seed');
  await cp(template, seed, { recursive: true });
  await git(folder, 'init', '--quiet', '--bare', `--initial-branch=${BRANCH}`, sample.remote);
  await git(seed, 'init', '--quiet', `--initial-branch=${BRANCH}`);
  await git(seed, 'add', '--all');
  await git(
    seed,
    '-c',
    'user.name=Treehouse',
    '-c',
    'user.email=sample@localhost',
    'commit',
    '--quiet',
    '-m',
    'Plant the sample',
  );
  await git(seed, 'push', '--quiet', sample.remote, BRANCH);
  await git(folder, 'clone', '--quiet', sample.remote, sample.work);
  await git(sample.work, 'config', 'user.name', 'You');
  await git(sample.work, 'config', 'user.email', 'you@localhost');
  await rm(seed, { recursive: true, force: true });
  return sample;
}
