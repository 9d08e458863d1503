/** What cannot be taken back is asked for. */
import { PassThrough } from 'node:stream';
import { expect, it } from 'vitest';
import { confirm } from '../../src/terminal/confirm.ts';

function asked(answer: string, isTTY: boolean, yes = false): Promise<void> {
  const input = Object.assign(new PassThrough(), { isTTY });
  input.end(`${answer}\n`);
  return confirm('All data goes.', { yes, input, output: new PassThrough() });
}

it.each(['y', 'Yes', ' yes '])('%j is a yes', async (answer) => {
  await expect(asked(answer, true)).resolves.toBeUndefined();
});

it.each(['', 'n', 'yesterday'])('%j is none', async (answer) => {
  await expect(asked(answer, true)).rejects.toMatchObject({ code: 'stopped', message: 'nothing was done' });
});

it('where nobody can be asked it wants to be told', async () => {
  await expect(asked('y', false)).rejects.toMatchObject({
    code: 'bad-config',
    message: 'All data goes. Say --yes to do it',
  });
  await expect(asked('', false, true)).resolves.toBeUndefined();
});
