/** What bash makes of the script that `treehouse completion` prints, of a command line as a person has typed it. */
import { execFileSync } from 'node:child_process';
import { Command, Option } from 'commander';
import { expect, it } from 'vitest';
import { completionCommand, completionScript } from '../../src/terminal/completion.ts';

function program(): Command {
  const all = new Command('treehouse').option('--config <file>', 'x');
  all.command('status').option('-q, --quiet', 'x').option('--json', 'x');
  all.command('exec').argument('<preview>').argument('<service>').argument('[command...]').option('-T, --no-tty', 'x');
  all.command('pull').argument('<preview>').argument('[service...]').option('-o, --output <file>', 'x');
  const token = all.command('token');
  token.command('create').addOption(new Option('--role <role>', "it's").choices(['reader', 'admin']));
  token.command('list');
  completionCommand(all, () => undefined);
  return all;
}

/** @param typed words, the last of them under the cursor */
function completed(...typed: readonly string[]): readonly string[] {
  const script = `treehouse() { printf 'main--shop\\nlive--shop\\n$(touch evil)\\n'; }
${completionScript(program(), 'bash')}
COMP_WORDS=(treehouse "$@") COMP_CWORD=$#
_treehouse
printf '%s\\n' "\${COMPREPLY[@]}"`;
  const said = execFileSync('bash', ['--norc', '-c', script, 'bash', ...typed], { encoding: 'utf8' });
  return said.split('\n').filter((one) => one !== '');
}

it.each<[readonly string[], readonly string[]]>([
  [[''], ['status', 'exec', 'pull', 'token', 'completion']],
  [['st'], ['status']],
  [['-'], ['--config', '--help']],
  [['--config', 'x.yml', 'to'], ['token']],
  [['--config', 'sta'], []],
  [
    ['token', ''],
    ['create', 'list'],
  ],
  [
    ['token', 'create', '--role', ''],
    ['reader', 'admin'],
  ],
  [
    ['token', 'create', '--role', 'reader', '--'],
    ['--role', '--help'],
  ],
  [['exec', 'main'], ['main--shop']],
  [
    ['exec', '-T', ''],
    ['main--shop', 'live--shop', 'touchevil'],
  ],
  [['exec', 'main--shop', ''], []],
  [['exec', 'main--shop', 'web', '--', 'l'], []],
  [['pull', '-o', 'f', 'li'], ['live--shop']],
  [
    ['pull', 'main--shop', '--'],
    ['--output', '--help'],
  ],
  [
    ['completion', ''],
    ['bash', 'zsh'],
  ],
])('%j is gone on with %j', (typed, expected) => {
  expect(completed(...typed)).toEqual(expected);
});

it('is read by zsh through its own part for scripts of bash', () => {
  const script = completionScript(program(), 'zsh');
  expect(script).toContain('bashcompinit');
  expect(script.endsWith(completionScript(program(), 'bash').split('\n').slice(1).join('\n'))).toBe(true);
});
