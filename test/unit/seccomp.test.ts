/** The profile and its page say the same, and no call of this kernel's headers is forgotten. */
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

interface Rule {
  readonly names: readonly string[];
  readonly action: string;
  readonly args?: readonly unknown[];
}

const read = (file: string) => readFileSync(fileURLToPath(new URL(`../../${file}`, import.meta.url)), 'utf8');
const profile = JSON.parse(read('templates/isolation/seccomp.json')) as {
  readonly defaultAction: string;
  readonly archMap: readonly { readonly subArchitectures: readonly string[] }[];
  readonly syscalls: readonly Rule[];
};
const page = read('docs/seccomp.md').split('Allowed in part only');
const namesIn = (text: string | undefined) => [...(text ?? '').matchAll(/`([a-z0-9_]+)`/g)].map((one) => one[1] ?? '');
const rows = (text: string | undefined) => (text ?? '').split('\n').filter((line) => line.startsWith('| `'));
const refused = new Set(rows(page[0]).flatMap((row) => namesIn(row.split('|')[1])));
const inPart = new Set(rows(page[1]).flatMap((row) => namesIn(row.split('|')[1])));
const whole = new Set(
  profile.syscalls.filter((rule) => !rule.args && rule.action === 'SCMP_ACT_ALLOW').flatMap((rule) => rule.names),
);

it('allows only what is named, on 64 bits only', () => {
  expect(profile.defaultAction).toBe('SCMP_ACT_ERRNO');
  expect(profile.archMap.flatMap((one) => one.subArchitectures)).toEqual([]);
});

it('says of each refused call why, and allows none of them', () => {
  expect(refused.size).toBeGreaterThan(60);
  for (const name of refused) expect(profile.syscalls.flatMap((rule) => rule.names)).not.toContain(name);
  for (const name of ['mount', 'unshare', 'setns', 'ptrace', 'bpf', 'keyctl', 'io_uring_setup', 'userfaultfd']) {
    expect(refused).toContain(name);
  }
});

it('allows in part what the page says, and nothing else', () => {
  const rules = profile.syscalls.filter((rule) => rule.args || rule.action !== 'SCMP_ACT_ALLOW');
  expect(new Set(rules.flatMap((rule) => rule.names))).toEqual(inPart);
  for (const name of inPart) expect(whole).not.toContain(name);
});

const header = '/usr/include/x86_64-linux-gnu/asm/unistd_64.h';
it.runIf(existsSync(header))("has decided on every call of the kernel's header", () => {
  const all = [...readFileSync(header, 'utf8').matchAll(/#define __NR_(\w+)\s/g)].map((one) => one[1] ?? '');
  expect(all.length).toBeGreaterThan(300);
  expect(all.filter((name) => !whole.has(name) && !refused.has(name) && !inPart.has(name))).toEqual([]);
});
