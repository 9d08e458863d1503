/** The compose model of a commit after policy: only what Treehouse understood and allows, nothing of the input itself. */

export const CONDITIONS = ['service_started', 'service_healthy', 'service_completed_successfully'] as const;
export type Condition = (typeof CONDITIONS)[number];

export interface Dependency {
  readonly service: string;
  readonly condition: Condition;
}

export type Mount =
  | { readonly kind: 'volume'; readonly volume: string; readonly target: string; readonly readOnly: boolean }
  /** A path of the checkout, relative to its root, always mounted read-only. */
  | { readonly kind: 'bind'; readonly path: string; readonly target: string }
  | { readonly kind: 'tmpfs'; readonly target: string; readonly sizeBytes?: number };

export interface MountedFile extends StackFile {
  readonly kind: 'config' | 'secret';
  /** Where it is in the container. */
  readonly target: string;
}

/** A secret that Treehouse keeps, as a file of a service's containers, 0400. */
export interface SecretUse {
  readonly name: string;
  /** Where it is in the container, below `/run/secrets/`. */
  readonly target: string;
  readonly uid: number;
  readonly gid: number;
}

export interface StackFile {
  /** Relative to the checkout's root. */
  readonly path: string;
  /** What to write there before a container is made; undefined where the repository has the file. */
  readonly content?: string;
}

export interface StackBuild {
  /** Folder of the checkout, relative to its root, `''` for the root. */
  readonly context: string;
  /** Relative to the checkout's root. */
  readonly dockerfile?: string;
  readonly dockerfileInline?: string;
  readonly args: Readonly<Record<string, string>>;
  readonly target?: string;
  /** Name → folder of the checkout. */
  readonly contexts: Readonly<Record<string, string>>;
  readonly noNetwork: boolean;
}

export interface StackService {
  readonly name: string;
  /** Set exactly where `build` is not. */
  readonly image?: string;
  readonly build?: StackBuild;
  /** Allowed compose fields, in compose's own form (`$` doubled), without those that have a field here. */
  readonly definition: Readonly<Record<string, unknown>>;
  readonly environment: Readonly<Record<string, string>>;
  readonly dependsOn: readonly Dependency[];
  /** Network key → further names there. */
  readonly networks: Readonly<Record<string, readonly string[]>>;
  readonly mounts: readonly Mount[];
  readonly files: readonly MountedFile[];
  /** Absent where it asks for none. */
  readonly secrets?: readonly SecretUse[];
  /** Container ports, published or exposed, TCP, in the file's order. */
  readonly ports: readonly number[];
}

export interface Change {
  /** Where in the compose file, for example `services.web.ports`. */
  readonly path: string;
  readonly message: string;
}

export interface Refusal extends Change {
  /** The rule's name in docs/policy.md. */
  readonly rule: string;
  /** Where in the repository it is said, if that is known. */
  readonly at?: { readonly file: string; readonly line: number };
}

export interface Exposure {
  readonly service: string;
  /** Undefined: the first port that the image exposes. */
  readonly port?: number;
}

/** A command that is run once in a service, when the data that it fills is new. */
export interface Seed {
  readonly service: string;
  /** Word by word, without a shell. */
  readonly command: readonly string[];
}

export interface Stack {
  /** What runs, without the test service. */
  readonly services: readonly StackService[];
  readonly test?: {
    readonly service: StackService;
    /** Whether a red test keeps the commit from being served. */
    readonly gate: boolean;
  };
  /** Key → whether it has no way out. */
  readonly networks: Readonly<Record<string, { readonly internal: boolean }>>;
  readonly volumes: readonly string[];
  /** The main one first; empty: to be found from the images. */
  readonly exposed: readonly Exposure[];
  /** In the order in which they run; absent where there is none. */
  readonly seeds?: readonly Seed[];
  /** Milliseconds without a visit after which it asks to sleep; absent where it does not. */
  readonly idle?: number;
  /** How to sign in, a line each; absent where the file says nothing of it. */
  readonly login?: readonly string[];
  readonly changes: readonly Change[];
}

/** The services that run, and the test. */
export function everyService(stack: Stack): readonly StackService[] {
  return stack.test ? [...stack.services, stack.test.service] : stack.services;
}

/** `services` and all that they depend on, in the order of `all`. */
export function withDependencies(services: readonly string[], all: readonly StackService[]): readonly StackService[] {
  const byName = new Map(all.map((one) => [one.name, one]));
  const wanted = new Set<string>();
  const visit = (name: string): void => {
    const service = byName.get(name);
    if (!service || wanted.has(name)) return;
    wanted.add(name);
    for (const dependency of service.dependsOn) visit(dependency.service);
  };
  for (const name of services) visit(name);
  return all.filter((one) => wanted.has(one.name));
}
