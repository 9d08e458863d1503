/** Where images may come from, what is looked for in them, and what the engine says of one. */

/** What a repository may draw in. Treehouse's own images are refused whatever is said here. */
export interface ImageRules {
  /** `docker.io`, `ghcr.io`, `registry.acme.internal:5000`; undefined: any. */
  readonly registries?: readonly string[] | undefined;
  /** Globs of images, such as `node:20*` or `ghcr.io/acme/**`; undefined: any. */
  readonly allow?: readonly string[] | undefined;
  /** `require`: each names its digest. */
  readonly pin: 'off' | 'require';
}

/** From the least to the worst. */
export const SEVERITIES = ['unknown', 'negligible', 'low', 'medium', 'high', 'critical'] as const;
export type Severity = (typeof SEVERITIES)[number];

export interface ScanSettings {
  readonly by: 'trivy' | 'grype' | 'clair';
  /** `gate`: a finding, or a scanner that does not work, ends the build. */
  readonly mode: 'gate' | 'report';
  /** The least that counts. */
  readonly severity: Severity;
  readonly ignoreUnfixed: boolean;
  readonly timeoutMs: number;
  /** Trivy and Grype: the program, or with a word that holds `{image}` the whole command. */
  readonly command?: readonly string[] | undefined;
  /** Clair: where its API is. */
  readonly url?: string | undefined;
  /** Clair: where it reaches Treehouse's registry, if not at the registry's own address. */
  readonly registryUrl?: string | undefined;
}

/** One weakness of one package, whichever scanner found it. */
export interface Finding {
  /** `CVE-…`, `GHSA-…`. */
  readonly id: string;
  readonly package: string;
  readonly version: string;
  /** Undefined where there is no fix yet. */
  readonly fixedIn: string | undefined;
  readonly severity: Severity;
  readonly title: string;
  readonly url: string | undefined;
}

export interface ImageFacts {
  /** `sha256:…`, the hash of its configuration. */
  readonly id: string;
  /** `name:tag` and `name@sha256:…`, as the engine knows it. */
  readonly names: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  /** Instructions that a build from it runs first. */
  readonly onBuild: readonly string[];
}

/** What the engine holds. */
export interface ImageStore {
  /** By name, digest or a part of its id, as the engine finds it. @throws transient `engine-away`. */
  look(reference: string): Promise<ImageFacts | undefined>;
}

/** Every address of a name of the network; none where it has none, or cannot be asked for. */
export type LookUp = (name: string) => Promise<readonly string[]>;

/** Where an image lies in a registry, for a scanner that fetches its layers. */
export interface Published {
  readonly registry: string;
  /** Path in the registry. */
  readonly path: string;
  /** Of its manifest. */
  readonly digest: string;
}

export interface ScanTarget {
  /** `name:tag` that the engine knows. */
  readonly reference: string;
  /** Puts it into a registry for as long as `use` takes; only Clair needs it. */
  publish<T>(use: (published: Published) => Promise<T>): Promise<T>;
}

/** @throws {TreehouseError} `build-failed` where the scanner is missing or broken: then nothing is known. */
export type ScanImage = (
  settings: ScanSettings,
  target: ScanTarget,
  signal: AbortSignal,
) => Promise<readonly Finding[]>;
