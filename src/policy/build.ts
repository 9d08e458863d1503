/** The `build` section of a service. */
import { lstat } from 'node:fs/promises';
import path from 'node:path';
import { undouble } from '../domain/dollars.ts';
import type { StackBuild } from '../domain/stack.ts';
import { insideCheckout } from './inside.ts';
import type { Notes } from './notes.ts';
import { isRecord } from './sources.ts';

/** Undefined where it is refused; the refusal is in `notes`. */
export async function hardenBuild(
  root: string,
  where: string,
  section: unknown,
  notes: Notes,
): Promise<StackBuild | undefined> {
  if (!isRecord(section)) {
    notes.refuse(where, 'value', 'it holds keys, context first');
    return undefined;
  }
  const raw = notes.section('build', where, section);
  const context = await folder(root, `${where}.context`, undouble(String(raw.context ?? '.')), notes);
  if (context === undefined) return undefined;
  const network = String(raw.network ?? '');
  if (!['', 'default', 'none'].includes(network)) {
    notes.refuse(`${where}.network`, 'network', `a build runs in no network but its own, not in '${network}'`);
  }
  const inline = typeof raw.dockerfile_inline === 'string' ? raw.dockerfile_inline : undefined;
  const dockerfile = inline === undefined ? await dockerfileOf(root, context, where, raw.dockerfile, notes) : undefined;
  const contexts: Record<string, string> = Object.create(null);
  for (const [name, value] of Object.entries(isRecord(raw.additional_contexts) ? raw.additional_contexts : {})) {
    const inside = await folder(root, `${where}.additional_contexts.${name}`, undouble(String(value)), notes);
    if (inside !== undefined) contexts[name] = inside;
  }
  const args: Record<string, string> = Object.create(null);
  for (const [name, value] of Object.entries(isRecord(raw.args) ? raw.args : {})) {
    if (value !== null) args[name] = undouble(String(value));
  }
  return {
    context,
    ...(dockerfile === undefined ? {} : { dockerfile }),
    ...(inline === undefined ? {} : { dockerfileInline: undouble(inline) }),
    args,
    ...(typeof raw.target === 'string' && raw.target !== '' ? { target: undouble(raw.target) } : {}),
    contexts,
    noNetwork: network === 'none',
  };
}

async function folder(root: string, where: string, value: string, notes: Notes): Promise<string | undefined> {
  if (!path.isAbsolute(value)) {
    notes.refuse(where, 'inside', `'${value}' is not a folder of the repository; only its own folders are built`);
    return undefined;
  }
  const inside = await insideCheckout(root, value);
  const stat = inside === undefined ? undefined : await lstat(path.join(root, inside));
  if (inside !== undefined && stat?.isDirectory()) return inside;
  notes.refuse(where, 'inside', `'${path.relative(root, value) || '.'}' is not a folder of the repository`);
  return undefined;
}

async function dockerfileOf(
  root: string,
  context: string,
  where: string,
  value: unknown,
  notes: Notes,
): Promise<string | undefined> {
  const name = typeof value === 'string' && value !== '' ? undouble(value) : 'Dockerfile';
  const inside = await insideCheckout(root, path.resolve(root, context, name));
  const stat = inside === undefined ? undefined : await lstat(path.join(root, inside));
  if (inside !== undefined && stat?.isFile()) return inside;
  notes.refuse(`${where}.dockerfile`, 'inside', `there is no '${path.join(context, name)}' in the repository`);
  return undefined;
}
