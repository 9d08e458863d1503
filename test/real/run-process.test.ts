import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { ProcessError, type ProcessRequest, runProcess } from '../../src/adapters/run-process.ts';
import { TreehouseError } from '../../src/errors.ts';
import { failureOf } from '../support/failure.ts';

const processFailure = (promise: Promise<unknown>) => failureOf(promise, ProcessError);

const base = { env: { PATH: process.env.PATH ?? '' }, timeoutMs: 30_000, signal: new AbortController().signal };

function shell(script: string, more: Partial<ProcessRequest> = {}) {
  return runProcess({ ...base, command: 'sh', args: ['-c', script], ...more });
}

function running(text: string): string[] {
  const all = execFileSync('ps', ['-eo', 'stat,args'], { encoding: 'utf8' }).split('\n');
  return all.filter((line) => line.includes(text) && !line.startsWith('Z'));
}

describe('runProcess', () => {
  it('gives both outputs and the lines of both, whatever ends them', async () => {
    const lines: string[] = [];
    const script = String.raw`printf 'a\r\nb\rc\n\nd é'; printf 'err\n' >&2`;
    const result = await shell(script, { onLine: (line) => lines.push(line) });
    expect(result).toEqual({ stdout: 'a\r\nb\rc\n\nd é', stderr: 'err\n', exitCode: 0, truncated: false });
    expect(lines.filter((line) => line !== 'err')).toEqual(['a', 'b', 'c', '', 'd é']);
    expect(lines).toContain('err');
  });

  it('inherits nothing', async () => {
    process.env.TREEHOUSE_TEST_SECRET = 'hunter2';
    const { stdout } = await runProcess({ ...base, command: 'env', args: [], env: { PATH: base.env.PATH, A: '1' } });
    delete process.env.TREEHOUSE_TEST_SECRET;
    expect(stdout.split('\n').filter(Boolean).sort()).toEqual(['A=1', `PATH=${base.env.PATH}`].sort());
  });

  it('takes input, also where nobody reads it', async () => {
    expect((await runProcess({ ...base, command: 'cat', args: [], input: 'hey' })).stdout).toBe('hey');
    expect((await runProcess({ ...base, command: 'true', args: [], input: 'x'.repeat(5e6) })).exitCode).toBe(0);
  });

  it('takes no argument for a command', async () => {
    const { stdout } = await runProcess({ ...base, command: 'echo', args: ['$(id)', '; id', '`id`'] });
    expect(stdout).toBe('$(id) ; id `id`\n');
  });

  it('names the act and the verb in its error, and no argument', async () => {
    const args = ['compose', '--password', 'hunter2'];
    const error = await processFailure(runProcess({ ...base, command: '/bin/false', args, act: 'building web' }));
    expect(error.message).toBe('building web failed: false compose exited with code 1');
    expect(error).toMatchObject({
      code: 'process-failed',
      kind: 'terminal',
      exitCode: 1,
      timedOut: false,
      aborted: false,
    });
    const secret = await processFailure(runProcess({ ...base, command: 'false', args: ['token=hunter2'] }));
    expect(secret.message).toBe('false exited with code 1');
  });

  it('takes an allowed exit code for an answer', async () => {
    expect((await shell('exit 3', { allowExit: [3] })).exitCode).toBe(3);
    expect((await processFailure(shell('echo why >&2; exit 4', { allowExit: [3] }))).tail).toBe('why');
  });

  it('keeps the end of a long output, and cuts long lines', async () => {
    const lines: string[] = [];
    const script = 'head -c 3000000 /dev/zero | tr "\\0" x; echo; echo end';
    const result = await shell(script, { maxOutputBytes: 100, onLine: (line) => lines.push(line) });
    expect(result.stdout).toHaveLength(100);
    expect(result.stdout.endsWith('x\nend\n')).toBe(true);
    expect(result.truncated).toBe(true);
    expect(lines.map((line) => line.length)).toEqual([16 * 1024 + 2, 3]);
  });

  it('ends the whole group at the time limit', async () => {
    const error = await processFailure(shell('sleep 98761 & sleep 98761', { timeoutMs: 200 }));
    expect(error).toMatchObject({ timedOut: true, aborted: false, kind: 'transient', exitCode: undefined });
    expect(error.message).toBe('sh took longer than 0.2 s');
    expect(running('sleep 98761')).toEqual([]);
  });

  it('ends the whole group at an abort, and carries the reason', async () => {
    const stop = new AbortController();
    const reason = new TreehouseError('superseded', 'a newer commit came');
    const onLine = () => stop.abort(reason);
    const error = await processFailure(shell('sleep 98762 & echo up; wait', { signal: stop.signal, onLine }));
    expect(error).toMatchObject({ aborted: true, timedOut: false, cause: reason });
    expect(running('sleep 98762')).toEqual([]);
    expect((await processFailure(shell('touch /nonexistent/x', { signal: stop.signal }))).aborted).toBe(true);
  });

  it('kills what does not heed SIGTERM, after five seconds', async () => {
    const began = performance.now();
    const script = 'trap "" TERM; while :; do sleep 0.2; done; : 98763';
    expect((await processFailure(shell(script, { timeoutMs: 200 }))).timedOut).toBe(true);
    expect(performance.now() - began).toBeGreaterThan(5_000);
    expect(running('98763')).toEqual([]);
  });

  it('does not wait for ever for one that fled its group with the pipes', async () => {
    expect((await processFailure(shell('setsid sleep 12 & exit 0', { timeoutMs: 100 }))).timedOut).toBe(true);
  });

  it('says that a program is not there', async () => {
    const error = await processFailure(runProcess({ ...base, command: '/nonexistent/tool', args: ['x'] }));
    expect(error.message).toBe('tool x could not be started (ENOENT)');
  });
});
