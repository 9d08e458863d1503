/** What the rooms of the house need from outside, each as narrow as its users; adapters/ implements them. */

import type { Purpose, RepositoryLimits, Turn } from './admission.ts';
import type { SetAside } from './desired.ts';
import type { BuildEvent } from './events.ts';
import type { AccessRules } from './guards.ts';
import type { ContainerFacts, PolicyRules } from './isolation.ts';
import type { Branch, BuildId, Commit, PreviewId, RepositoryName } from './names.ts';
import type { Share, Taken } from './neighbours.ts';
import type { ObservedContainer, ObservedStack } from './observed.ts';
import type { PreviewKey, PreviewRecord } from './preview.ts';
import type { PullRequestFact } from './pull-requests.ts';
import type { Rest, SleepMode } from './rest.ts';
import type { PathsVerdict, Selection } from './selection.ts';
import type { StackBuild } from './stack.ts';
import type { ImageRules, ScanSettings } from './supply.ts';

export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
}

/** A repository that the configuration lists. */
export interface Repository {
  readonly name: RepositoryName;
  /** Last part of its previews' ids; empty where they are the branch alone. */
  readonly slug: string;
  /** A host label that no preview of it may have: the admin's own. */
  readonly reserved?: string;
  /** Where it is cloned from: the configuration's URL or path, never a payload's. */
  readonly url: string;
  /** Globs of branches that get a preview; `!` excludes; the last match decides. */
  readonly branches: readonly string[];
  /** What else a branch must be like to have a preview; undefined: nothing. */
  readonly selection?: Selection | undefined;
  /** By setting this label somebody who may write approves the head of a fork's pull request; undefined: by a comment alone. */
  readonly approvalLabel?: string | undefined;
  /** Where its images may come from. */
  readonly images?: ImageRules | undefined;
  /** What looks its images through before they are pushed. */
  readonly scan?: ScanSettings | undefined;
  /** Who may see its previews; undefined: anybody. */
  readonly access?: AccessRules | undefined;
  /** Milliseconds without a visit after which its previews sleep; undefined: never. */
  readonly idle?: number | undefined;
  /** How they sleep; `stop` where nothing is said. */
  readonly sleepMode?: SleepMode | undefined;
  /** Milliseconds without a visit or a push after which its previews go; undefined: never. */
  readonly ttl?: number | undefined;
  /** The most that there may be of its previews. */
  readonly most?: RepositoryLimits;
  /** What the admin changes of policy for it. */
  readonly policy?: PolicyRules | undefined;
}

/** Takes one line of output, without its line end. */
export type OnLine = (line: string, source?: string) => void;

export interface CommitInfo {
  readonly subject: string;
  readonly author: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
}

/** Reads remotes through one bare mirror a repository. */
export interface Git {
  /** Fetches the one branch; undefined where the remote has no such branch. @throws transient `git-failed`. */
  head(repository: Repository, branch: Branch, signal: AbortSignal): Promise<Commit | undefined>;
  /** Every branch of the remote. @throws transient `git-failed`. */
  branches(repository: Repository, signal: AbortSignal): Promise<ReadonlyMap<Branch, Commit>>;
  /** Is another whenever a branch of a repository on this machine moved; undefined where that takes more than a look at its files. */
  stamp(repository: Repository): Promise<string | undefined>;
  /** Lays a commit that `head` fetched out in `directory`, which must not exist yet. */
  checkout(repository: Repository, commit: Commit, directory: string, signal: AbortSignal): Promise<void>;
  /** Removes a checkout and what git remembers of it; nothing where it is gone already. */
  removeCheckout(repository: Repository, directory: string): Promise<void>;
  /** Object ids of paths (files or folders) in a commit, `''` for the root; those that are not there are left out. */
  objectIds(repository: Repository, commit: Commit, paths: readonly string[]): Promise<ReadonlyMap<string, string>>;
  describe(repository: Repository, commit: Commit): Promise<CommitInfo>;
  /** Drops what the mirror keeps of a branch that is gone. */
  forget(repository: Repository, branch: Branch): Promise<void>;
}

/** Where a host label leads. */
export interface Route {
  /** The first label of the host name. */
  readonly host: string;
  readonly preview: PreviewId;
  readonly build: BuildId;
  /** `ip:port` that the gateway can reach. */
  readonly upstream: string;
}

/** The nginx that holds the routes. A host without a route is answered by Treehouse's own pages. */
export interface Gateway {
  /** The routes of one preview, as the gateway itself has them. */
  routesOf(preview: PreviewId): Promise<readonly Route[]>;
  routes(): Promise<readonly Route[]>;
  /** Makes the preview's routes be exactly `routes`; true where anything changed. Serves the next request. */
  setRoutes(preview: PreviewId, routes: readonly Route[]): Promise<boolean>;
  /** Requests and upgraded connections now open to an upstream. */
  inFlight(upstream: string): Promise<number>;
  /** Of these, what keeps a preview awake: not what is let through to people who may not see it. */
  visiting(upstream: string): Promise<number>;
  /** Of every host that has a route and was visited since nginx started. */
  visits(): Promise<readonly Visit[]>;
  /** From now on who comes asks Treehouse to wake the preview, and waits for it: until it is opened or has other routes. */
  close(preview: PreviewId): Promise<void>;
  open(preview: PreviewId): Promise<void>;
}

/** When a host was last visited, and how often since nginx started. */
export interface Visit {
  readonly host: string;
  /** Milliseconds since the epoch. */
  readonly last: number;
  readonly count: number;
}

/** As whom a registry is asked and pushed to. */
export interface RegistryLogin {
  readonly user: string;
  readonly password: string;
}

/** A registry's HTTP API, version 2. */
export interface Registry {
  /** `host:port`, the first part of an image's name. */
  readonly address: string;
  /** Every tag of a repository (path without the address); empty where there is none. */
  tags(path: string): Promise<readonly string[]>;
  digest(path: string, tag: string): Promise<string | undefined>;
  /** Deletes a tag's manifest; nothing where it is gone already. */
  remove(path: string, tag: string): Promise<void>;
  /** Every repository path that holds images. */
  paths(): Promise<readonly string[]>;
  /** Labels of the image that a tag names; undefined where it names none, or several by an index. */
  labels(path: string, tag: string): Promise<Readonly<Record<string, string>> | undefined>;
}

/** History, events and what was heard; all of it may be lost without harm to what runs. */
export interface Store {
  record(id: PreviewId): Promise<PreviewRecord | undefined>;
  records(): Promise<readonly PreviewRecord[]>;
  /** Makes the preview known; a record that exists stays as it is. @throws `bad-branch` where the id is another branch's. */
  know(key: PreviewKey): Promise<void>;
  /** Appends to the build's log and to the common stream, and lets the record follow. */
  append(event: BuildEvent): Promise<void>;
  /** The last `count` log lines of a build, oldest first. */
  tail(preview: PreviewId, build: BuildId, count: number): Promise<readonly string[]>;
  notePullRequest(repository: RepositoryName, branch: Branch, fact: PullRequestFact): Promise<void>;
  pullRequests(repository: RepositoryName, branch: Branch): Promise<readonly PullRequestFact[]>;
  /** The branch is gone: what was heard of its pull requests no longer counts. */
  forgetPullRequests(repository: RepositoryName, branch: Branch): Promise<void>;
  /** The branch is to have no preview until it moves on or someone asks for a build. */
  setAside(key: PreviewKey, aside: SetAside): Promise<void>;
  aside(id: PreviewId): Promise<SetAside | undefined>;
  /** By preview. */
  allAside(): Promise<ReadonlyMap<PreviewId, SetAside>>;
  /** What was found of the files that a commit changed, so that it need not be asked again; in place of what was found before. */
  notePaths(key: PreviewKey, verdict: PathsVerdict): Promise<void>;
  paths(id: PreviewId): Promise<PathsVerdict | undefined>;
  allPaths(): Promise<ReadonlyMap<PreviewId, PathsVerdict>>;
  /** When previews were last used, milliseconds since the epoch, as `noteUses` left it. */
  uses(): Promise<ReadonlyMap<PreviewId, number>>;
  noteUses(uses: ReadonlyMap<PreviewId, number>): Promise<void>;
  /** Someone asked for a build though nothing changed; a preview that was set aside comes back. */
  requestRedeploy(id: PreviewId): Promise<void>;
  /** True once for each request. */
  takeRedeploy(id: PreviewId): Promise<boolean>;
  /** Someone asked for new data: it stays asked until the old is gone, or cannot go. */
  requestReset(id: PreviewId): Promise<void>;
  resetWanted(id: PreviewId): Promise<boolean>;
  forgetReset(id: PreviewId): Promise<void>;
  /** Someone wants the build under way to end. */
  requestCancel(id: PreviewId): Promise<void>;
  /** True once for each request. */
  takeCancel(id: PreviewId): Promise<boolean>;
  rest(id: PreviewId): Promise<Rest>;
  /** It is to sleep, or no more. */
  wantRest(id: PreviewId, wanted: boolean): Promise<void>;
  /** It is to sleep and to give its memory back. */
  wantDeepRest(id: PreviewId): Promise<void>;
  /** These of its containers ran when it was put to sleep; added to what was noted before. */
  noteSlept(id: PreviewId, containers: readonly string[]): Promise<void>;
  /** What slept runs again; whether it is to sleep is as it was. */
  forgetSlept(id: PreviewId): Promise<void>;
  /** Neither is it to sleep nor does anything of it. */
  forgetRest(id: PreviewId): Promise<void>;
}

/** Previews that an admin pinned: neither idleness nor time nor a limit ends them. */
export interface Pins {
  all(): Promise<ReadonlySet<PreviewId>>;
  /** @param until milliseconds since the epoch; until it is taken away where nothing is said */
  pin(id: PreviewId, until?: number): Promise<void>;
  unpin(id: PreviewId): Promise<void>;
}

/** Lets converges build and wake as there is room. */
export interface Admission {
  /**
   * Takes a place, kept until the converge ends, or says who waits where in the queue; its preview is hinted when its turn comes.
   * @throws transient `queue-away`, `engine-away`
   */
  enter(asking: Asking): Promise<Turn>;
}

/** Who asks to build or wake. */
export interface Asking {
  readonly preview: PreviewKey;
  readonly purpose: Purpose;
  /** What is to be built. */
  readonly commit?: Commit;
}

/** Where hints go. */
export interface Hints {
  /** Resolves once the hint is durable. @throws transient `queue-away`, within 2 s. */
  hint(id: PreviewId): Promise<void>;
}

export interface ImageInfo {
  /** `sha256:…`, the hash of its configuration. */
  readonly id: string;
  /** TCP ports it exposes, ascending. */
  readonly ports: readonly number[];
  /** Paths it declares as volumes. */
  readonly volumes: readonly string[];
  /** Names of the variables it sets. */
  readonly variables: readonly string[];
  /** Seconds between its own health checks; absent where it says nothing of them. */
  readonly checkEvery?: number;
}

export interface NewNetwork {
  readonly name: string;
  /** Name of its interface on the host, by which the firewall knows it; 15 characters at most. */
  readonly bridge: string;
  readonly internal: boolean;
  readonly labels: Readonly<Record<string, string>>;
}

/** The Docker engine: all that is read, watched, joined and removed. What a compose file means is for Compose to say. */
export interface Engine {
  /** All that carries the preview's label. */
  observe(preview: PreviewId): Promise<ObservedStack>;
  /** Every preview that owns anything labelled. */
  previews(): Promise<readonly PreviewKey[]>;
  container(id: string): Promise<ObservedContainer | undefined>;
  /** What the engine says of a container's walls. @throws transient `engine-away` where it is gone. */
  facts(container: string): Promise<ContainerFacts>;
  /** Calls back whenever one of the preview's containers changes its state; call the result to stop. */
  watch(preview: PreviewId, changed: () => void): () => void;

  /** Calls back with the preview of any container that started or ended, whoever did it; call the result to stop. */
  watchAll(changed: (preview: PreviewId) => void): () => void;

  /** Lets a paused one go on. */
  start(container: string): Promise<void>;
  /** Freezes it, with all that it has in memory; nothing where it does not run. */
  pause(container: string): Promise<void>;
  /** SIGTERM, then SIGKILL after `seconds`, also to a paused one; nothing where it does not run. */
  stop(container: string, seconds: number): Promise<void>;
  /** Its exit code, once it has ended. */
  wait(container: string, signal: AbortSignal): Promise<number>;
  /** Removes it, running or not, with its anonymous volumes. */
  removeContainer(container: string): Promise<void>;
  /**
   * Runs a command in a running container, as the container's user.
   * @returns its exit code. An aborted one is no longer waited for: only the end of the container ends it for sure.
   */
  exec(container: string, command: readonly string[], onLine: OnLine, signal: AbortSignal): Promise<number>;
  /** The last lines of a container's output, or all of it as it comes until it ends. */
  logs(
    container: string,
    options: {
      tail?: number;
      /** Milliseconds since the epoch; what was printed before is left out. */
      since?: number;
      follow: boolean;
    },
    onLine: OnLine,
    signal: AbortSignal,
  ): Promise<void>;

  image(reference: string): Promise<ImageInfo | undefined>;
  tag(image: string, reference: string): Promise<void>;
  pull(reference: string, onLine: OnLine, signal: AbortSignal): Promise<void>;
  /** The digest that the registry gave it. */
  push(reference: string, onLine: OnLine, signal: AbortSignal): Promise<string>;
  removeImage(reference: string): Promise<void>;

  /** @throws `networks-exhausted` where the engine has no addresses left. */
  createNetwork(network: NewNetwork): Promise<void>;
  connect(network: string, container: string, aliases: readonly string[]): Promise<void>;
  disconnect(network: string, container: string): Promise<void>;
  removeNetwork(network: string): Promise<void>;
  /** Nothing where there is one of the name. */
  createVolume(name: string, labels: Readonly<Record<string, string>>): Promise<void>;
  removeVolume(volume: string): Promise<void>;
}

/** `docker compose`, for what it alone defines: what a file says. */
export interface Composer {
  /** The parsed output of `config`. @throws `compose-unreadable` with a message fit for a developer. */
  read(input: {
    readonly root: string;
    readonly files: readonly string[];
    readonly env: string | undefined;
    /** Hash of all that is read, where it is known: what was read before need not be read again. */
    readonly fingerprint?: string | undefined;
    readonly signal: AbortSignal;
  }): Promise<unknown>;
}

/** Makes what a compose model of ours says. */
export interface Maker {
  /**
   * Its containers and volumes, labelled as the project's; starts nothing.
   * @returns key of the service → id of its container. @throws `start-failed`
   */
  create(input: { readonly project: string; readonly model: unknown }): Promise<ReadonlyMap<string, string>>;
}

export interface BuildTarget {
  readonly service: string;
  /** `name:tag` that the image gets. */
  readonly reference: string;
  readonly build: StackBuild;
  readonly labels: Readonly<Record<string, string>>;
}

/** BuildKit: all targets in one go, in parallel. */
export interface Builder {
  build(input: {
    /** The checkout. */
    readonly root: string;
    readonly targets: readonly BuildTarget[];
    readonly onLine: OnLine;
    readonly signal: AbortSignal;
  }): Promise<void>;
}

/** Whether something listens. */
export interface Probe {
  /** Resolves once a TCP connection is accepted. @throws where the signal is aborted first. */
  listening(host: string, port: number, signal: AbortSignal): Promise<void>;
}

/** Keeps previews from the host and from what lies near it. */
export interface Firewall {
  /**
   * Makes the rules be there, at no moment less of them than before; run again, it changes nothing.
   * @returns whether they were not there, or not all. @throws `bad-config` where the host does not let us.
   */
  ensure(): Promise<boolean>;
}

/** The firewall, looked after. */
export interface Walls {
  /** Makes sure of them before anything of a preview starts. @throws where they must be up and are not. */
  stand(): Promise<void>;
}

/** What this host is used for, and what running containers are given of it. */
export interface Shares {
  readonly cores: number;
  /** How much of the host's CPU time was used since it was last asked, 0 to 1. */
  busy(): Promise<number>;
  /** Every running container of ours; those that came since the last time only where `anew` is set. @throws `engine-away`, `bad-config`. */
  taken(anew: boolean): Promise<readonly Taken[]>;
  /** Nothing where it runs no more. */
  give(container: string, share: Share): Promise<void>;
}
