/** What Treehouse asks to be on GitHub: an App's manifest, with the least that its features need. */
import { TreehouseError } from '../errors.ts';
import { gitHost } from './settings.ts';

export interface ManifestOptions {
  readonly name: string;
  /** What GitHub's page of the App links to. */
  readonly homepage: string;
  /** Where GitHub sends its maker back to, with a code. */
  readonly redirectUrl: string;
  /** Where deliveries go; undefined: nowhere, and Treehouse looks by itself. */
  readonly webhookUrl: string | undefined;
}

/** As GitHub takes it (docs.github.com, "Registering a GitHub App from a manifest"). */
export interface Manifest {
  readonly name: string;
  readonly url: string;
  readonly description: string;
  readonly public: false;
  readonly redirect_url: string;
  readonly hook_attributes?: { readonly url: string; readonly active: true };
  readonly default_permissions: Readonly<Record<string, 'read' | 'write'>>;
  readonly default_events?: readonly string[];
}

/**
 * Each of them is told of in docs/github.md, with what is lost without it. Not among them is `administration`, which alone may
 * take an environment away: its name stays, and too much would come with it.
 */
export const PERMISSIONS = {
  metadata: 'read',
  contents: 'read',
  pull_requests: 'write',
  // For its event alone: comments of pull requests count as those of issues.
  issues: 'read',
  // What is said beside a commit; a token, which may make no check runs, sets a status.
  checks: 'write',
  deployments: 'write',
} as const;

/** `installation` and `installation_repositories` come to every App, and a manifest that names them is refused. */
export const EVENTS = ['push', 'create', 'delete', 'pull_request', 'issue_comment', 'repository'] as const;

/** GitHub cuts none: it refuses a longer one. */
export const NAME_MAX = 34;

export function appManifest({ name, homepage, redirectUrl, webhookUrl }: ManifestOptions): Manifest {
  const common = {
    name,
    url: homepage,
    description: 'A live preview of every branch.',
    public: false,
    redirect_url: redirectUrl,
    default_permissions: PERMISSIONS,
  } as const;
  // Without an address GitHub takes neither, also where the hook is off.
  if (webhookUrl === undefined) return common;
  return { ...common, hook_attributes: { url: webhookUrl, active: true }, default_events: EVENTS };
}

/** The pages that people see of the GitHub that an API speaks of; with `http` where that does. */
export function webOf(apiUrl: string): string {
  return `${new URL(apiUrl).protocol}//${gitHost(apiUrl)}`;
}

/** Where a browser posts the manifest: for oneself, or for an organisation. */
export function registrationUrl(web: string, org: string | undefined, state: string): string {
  const owner = org === undefined ? '' : `/organizations/${encodeURIComponent(org)}`;
  return `${web}${owner}/settings/apps/new?${new URLSearchParams({ state })}`;
}

/** Where it is chosen for which repositories an App is; `url` is that of its page. */
export function installUrl({ url }: { readonly url: string }): string {
  return `${url}/installations/new`;
}

/** What GitHub takes for the login of an organisation. @throws `bad-config` */
export function organisation(text: string): string {
  if (/^[A-Za-z0-9](?:[A-Za-z0-9-]{0,38})$/.test(text)) return text;
  throw new TreehouseError('bad-config', `--org: '${text}' is no organisation; it is its name as in github.com/NAME`);
}

/** What can be an App's name. @throws `bad-config` */
export function appName(text: string): string {
  if (text.trim() !== '' && text.length <= NAME_MAX) return text.trim();
  throw new TreehouseError(
    'bad-config',
    `--name: an App's name has 1 to ${NAME_MAX} characters, and '${text}' has not`,
  );
}

/**
 * Where deliveries go, from the address at which GitHub reaches this server: `/webhooks/github` of it unless it has a path.
 * @throws `bad-config` where GitHub would not take it.
 */
export function webhookUrl(text: string): string {
  const refused = (why: string) => new TreehouseError('bad-config', `--webhook: '${text}' ${why}`);
  if (!URL.canParse(text)) throw refused('is no URL; it is such as https://treehouse.example.com');
  const url = new URL(text);
  if (url.protocol !== 'https:') throw refused('is not https, so that what GitHub sends could be read on its way');
  if (url.username !== '' || url.password !== '')
    throw refused('holds a name or a password; the secret is made by GitHub');
  if (/^(?:localhost|.*\.localhost|127(?:\.\d+){3}|\[::1\])$/.test(url.hostname)) {
    throw refused('is this machine alone, which GitHub does not reach; leave it out, and Treehouse looks by itself');
  }
  if (url.pathname === '/') url.pathname = '/webhooks/github';
  return url.href;
}
