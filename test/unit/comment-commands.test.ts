/** What is a command in a comment, and what only looks like one. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { commandIn } from '../../src/domain/comment-commands.ts';

const HOUR = 3_600_000;

describe('a command', () => {
  it.each<[string, object]>([
    ['/preview', { name: 'help' }],
    ['/preview help', { name: 'help' }],
    ['/Preview   UP  ', { name: 'up' }],
    ['/preview redeploy\r\nplease', { name: 'redeploy' }],
    ['Looks good.\n/preview sleep', { name: 'sleep' }],
    ['/preview wake\n/preview down', { name: 'wake' }],
    ['/preview down', { name: 'down' }],
    ['/preview unpin', { name: 'unpin' }],
    ['/preview pin', { name: 'pin', ms: 8 * HOUR }],
    ['/preview pin 30m', { name: 'pin', ms: HOUR / 2 }],
    ['/preview pin 2d', { name: 'pin', ms: 48 * HOUR }],
    ['/preview logs', { name: 'logs', service: undefined }],
    ['/preview logs web', { name: 'logs', service: 'web' }],
    ['/preview approve', { name: 'approve', commit: undefined }],
    ['/preview approve ABCDEF0', { name: 'approve', commit: 'abcdef0' }],
    ['> quoted\n\n/preview up', { name: 'up' }],
    ['```\ncode\n```\n/preview up', { name: 'up' }],
    ['a `/preview down` in code\n/preview up', { name: 'up' }],
    ['<!-- hidden --> shown\n/preview up', { name: 'up' }],
  ])('%j', (body, expected) => {
    expect(commandIn(body)).toEqual(expected);
  });

  it.each([
    ['/preview frobnicate', "there is no command 'frobnicate'"],
    ['/preview <b>`x', "there is no command '?b??x'"],
    ['/preview redeploy now', "'redeploy' takes no more words"],
    ['/preview pin 8h please', "'pin' takes one word at most"],
    ['/preview pin soon', 'a pin is for 1m to 30d, such as 8h'],
    ['/preview pin 31d', 'a pin is for 1m to 30d, such as 8h'],
    ['/preview logs ../x', 'this is no name of a service'],
    ['/preview approve abc', 'what is approved is a commit: at least the first 7 digits of its id'],
    ['/preview approve everything', 'what is approved is a commit: at least the first 7 digits of its id'],
  ])('%j is not understood: %s', (body, why) => {
    expect(commandIn(body)).toEqual({ name: 'unclear', why });
  });
});

describe('no command', () => {
  it.each([
    [''],
    ['/previews'],
    ['preview up'],
    ['please /preview up'],
    [' /preview up'],
    ['    /preview approve'],
    ['> /preview approve'],
    ['>/preview approve'],
    ['  > > /preview approve'],
    ['> somebody wrote\n/preview approve'],
    ['> somebody wrote\nand this goes on\n/preview approve'],
    ['```\n/preview approve\n```'],
    ['~~~ text\n/preview approve\n~~~'],
    ['````\n```\n/preview approve\n````'],
    ['```\n~~~\n/preview approve'],
    ['``` info\n``` not the end\n/preview approve'],
    ['<!--\n/preview approve\n-->'],
    ['text <!-- hidden\n/preview approve'],
    ['<!-- treehouse:preview -->\n/preview approve'],
  ])('%j', (body) => {
    expect(commandIn(body)).toBeUndefined();
  });

  it('is in any text of which every line is quoted', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom('/preview approve', '```', '', 'text', '<!--', '-->')), (lines) => {
        expect(commandIn(lines.map((line) => `> ${line}`).join('\n'))).toBeUndefined();
      }),
    );
  });

  it('is in any text within a fence that is longer than those in it', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom('/preview approve', '```', '~~~~~', '````', '> x', '')), (lines) => {
        expect(commandIn(['`````', ...lines, '`````'].join('\n'))).toBeUndefined();
      }),
    );
  });
});
