/** What ADD fetches by URL: BuildKit does so from the host's own network, so where it leads is looked at beforehand. */
import type { Refusal } from '../domain/stack.ts';
import type { LookUp } from '../domain/supply.ts';
import { TreehouseError } from '../errors.ts';
import { within } from '../time-limit.ts';
import { type Instruction, jsonWords, WHITE } from './dockerfile.ts';
import { judgeHost, nearness } from './near.ts';
import { expand } from './shell-words.ts';

/** Something that is fetched by a name of which only the resolver knows where it leads. */
export interface Fetched {
  /** `web/Dockerfile:3`. */
  readonly where: string;
  readonly written: string;
  readonly name: string;
}

export interface AddOn {
  readonly place: string;
  readonly faults: Refusal[];
  readonly fetched: Fetched[];
  readonly values: ReadonlyMap<string, string | undefined>;
  readonly token: string;
}

const RULE = 'build-network';
/** A redirect is followed, and is not seen beforehand. */
const UNKNOWN =
  "its server could send the builder on to an address of this machine's network, and what answers there would be in the image";
const CHECKSUM = 'give --checksum=sha256:… of what it is, or fetch it in a RUN step, which has a network of its own';
const WAY_OUT = 'COPY a file of the repository';

/**
 * Reads one ADD: addresses of this machine and its neighbours are faults, so are pages of the web whose content is not known
 * beforehand, and names are to be asked for.
 */
export function readAdd(one: Instruction, on: AddOn): void {
  const refuse = (text: string, why: string, wayOut = WAY_OUT) =>
    on.faults.push({ path: on.place, rule: RULE, message: `ADD ${text.slice(0, 200)}: ${why}; ${wayOut}` });
  const isKnown = one.flags.some((flag) => isChecksum(flag, on));
  for (const word of jsonWords(one.rest) ?? one.rest.split(WHITE)) {
    const text = expand(word, { token: on.token, env: on.values })?.text;
    if (text === undefined) {
      refuse(word, 'it cannot be told beforehand what this would fetch');
      continue;
    }
    const host = hostOf(text);
    if (host === undefined) continue;
    const kind = judgeHost(host);
    if (kind === 'name') on.fetched.push({ where: on.place, written: text, name: host.toLowerCase() });
    if (kind !== 'near') {
      if (!isKnown && /^https?:/i.test(text) && !isGit(text)) refuse(text, UNKNOWN, CHECKSUM);
      continue;
    }
    refuse(
      text,
      "it would be fetched from the host's own network, where addresses of this machine and its neighbours are refused",
    );
  }
}

/** `--checksum=sha256:…`: what comes is compared before it is in the image (docs.docker.com, Dockerfile reference, ADD). */
function isChecksum(flag: string, on: AddOn): boolean {
  const value = /^--checksum=(.*)$/s.exec(flag)?.[1];
  const text = value === undefined ? undefined : expand(value, { token: on.token, env: on.values })?.text;
  return /^sha(?:256|384|512):[0-9a-f]{64,128}$/.test(text ?? '');
}

/** Of which BuildKit makes a clone: what answers otherwise than git does comes to nothing. */
function isGit(text: string): boolean {
  return /^[^?#]*\.git(?:#|$)/i.test(text);
}

/** As BuildKit and Go's net/url find it; undefined for a file. */
function hostOf(text: string): string | undefined {
  const scp = /^[\w-]+@([^:/\s]*):/.exec(text)?.[1];
  if (scp !== undefined) return scp;
  if (/^github\.com\//i.test(text)) return 'github.com';
  const authority = /^(?:https?|git|ssh):\/\/([^/?#]*)/i.exec(text)?.[1];
  // A password may hold an @, too.
  const host = authority?.slice(authority.lastIndexOf('@') + 1);
  return host?.replace(/:\d*$/, '');
}

export interface LookOn {
  readonly lookUp: LookUp;
  /** Whether private networks may be fetched from, too. */
  readonly allowsPrivate: boolean;
}

/** For all names of a build. */
const LOOK_MS = 5_000;

/**
 * Asks where names lead, and refuses what is near. The builder asks again, and follows redirects: who owns the name can still
 * give it another answer.
 * @throws transient `build-failed` where no answer comes in time.
 */
export async function judgeFetched(fetched: readonly Fetched[], on: LookOn): Promise<readonly Refusal[]> {
  const refusals: Refusal[] = [];
  const answers = new Map<string, readonly string[]>();
  const until = performance.now() + LOOK_MS;
  for (const { where, written, name } of fetched) {
    // One after the other: each takes a thread of this process for as long as its server likes.
    const addresses =
      answers.get(name) ?? (await within(Math.max(0, until - performance.now()), on.lookUp(name), () => tooLate(name)));
    answers.set(name, addresses);
    const near = addresses.find((one) => isRefused(one, on));
    if (near === undefined) continue;
    const wish = nearness(near) === 'private' ? ', or ask an admin for egress: all (TREEHOUSE_EGRESS)' : '';
    refusals.push({
      path: where,
      rule: RULE,
      message: `ADD ${written.slice(0, 200)}: ${name} leads to ${near}, and it would be fetched from the host's own network, where addresses of this machine and its neighbours are refused; ${WAY_OUT}${wish}`,
    });
  }
  return refusals;
}

function isRefused(address: string, { allowsPrivate }: LookOn): boolean {
  const near = nearness(address);
  return near === 'machine' || (near === 'private' && !allowsPrivate);
}

function tooLate(name: string): TreehouseError {
  const text = `asking where ${name} leads (ADD in a Dockerfile) took longer than ${LOOK_MS / 1000} s; is its name server up?`;
  return new TreehouseError('build-failed', text, { kind: 'transient' });
}
