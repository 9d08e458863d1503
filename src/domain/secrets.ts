/** Where a secret's file lies, and what converge needs of the room that keeps them (src/secrets implements it). */
import path from 'node:path';
import type { MountFacts } from './isolation.ts';
import type { BuildId, PreviewId } from './names.ts';
import type { PreviewKey } from './preview.ts';
import type { SecretUse, StackService } from './stack.ts';

/** Reads the secrets of a branch, and lays them in memory for its containers. */
export interface SecretSource {
  /**
   * The values that the services ask for.
   * @throws `secret-missing` naming each that is not set, with the command that sets it; `secret-failed` where they cannot be read.
   */
  fetch(request: SecretRequest, signal: AbortSignal): Promise<KnownSecrets>;
  /**
   * Lays what containers mount and the host has lost, as after a reboot, with the values of now.
   * @returns what takes their values out of a text.
   */
  layAgain(
    preview: PreviewKey,
    containers: readonly { readonly service: string; readonly mounts: readonly MountFacts[] }[],
    signal: AbortSignal,
  ): Promise<KnownSecrets['redact']>;
  /** Previews of which anything is laid. */
  previews(): Promise<readonly PreviewId[]>;
  /** What is laid of a preview, as `serviceFolder` names it. */
  laid(preview: PreviewId): Promise<readonly string[]>;
  /** Removes folders of services; those that are gone already are no fault. */
  remove(preview: PreviewId, folders: readonly string[]): Promise<void>;
}

export interface SecretRequest {
  readonly preview: PreviewKey;
  readonly services: readonly StackService[];
  /** Whether the code is a fork's, which is given none. */
  readonly fork: boolean;
}

/** The secrets of one build, resolved once. */
export interface KnownSecrets {
  /** A keyed fingerprint: it tells that a value changed, and nothing else of it. */
  mark(service: string, name: string): string;
  /** The text with `[secret NAME]` in the place of each value. */
  redact(text: string): string;
  /** Writes what the services ask for into memory. @returns the folder that `secretPath` begins with. */
  lay(layer: string, services: readonly StackService[]): Promise<string>;
}

export const NO_SECRETS: KnownSecrets = {
  mark: () => '',
  redact: (text) => text,
  lay: async () => '',
};

/** Containers of one build and role mount the files of one layer. */
export function layerOf(build: BuildId, role: 'app' | 'test'): string {
  return role === 'app' ? build : `${build}_test`;
}

/** Where the files of one container lie. */
export function serviceFolder(layer: string, service: string): string {
  return path.join(layer, service);
}

/**
 * The file of a service's secret in its layer. Its name says all that is needed to lay it again, so that a container's mounts,
 * which the engine keeps, are the only record.
 */
export function secretPath(layer: string, service: string, use: Omit<SecretUse, 'target'>): string {
  return path.join(serviceFolder(layer, service), `${use.name}~${use.uid}~${use.gid}`);
}

/** Reads a file's name that `secretPath` made. */
export function parseSecretFile(file: string): Omit<SecretUse, 'target'> | undefined {
  const [, name, uid, gid] = /^([\w.-]+)~(\d{1,10})~(\d{1,10})$/.exec(file) ?? [];
  return name === undefined ? undefined : { name, uid: Number(uid), gid: Number(gid) };
}

/** As Compose names secrets; `.` and `..` are none. */
export function isSecretName(text: string): boolean {
  return /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/.test(text);
}
