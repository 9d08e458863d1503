/** The gateway's configuration: rendered from `nginx/`, and where a byte differs written aside, tested and swapped in. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { isIPv6 } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { messageOf, TreehouseError } from '../errors.ts';
import { STANDARD_PATH } from './child.ts';

export interface NginxSettings {
  /** Previews are at `<label>.<domain>`. */
  readonly domain: string;
  /** `host:port`, or `unix:` and a path, of Treehouse's own server, which answers where no preview does. */
  readonly pages: string;
  /** A host by which Treehouse's own server is reached: receiver, API and dashboard. */
  readonly adminHost?: string | undefined;
  /** Of the home, 64 hex digits: it signs passes, and shows Treehouse's server that it is the gateway that asks; without one nothing does. */
  readonly key?: string;
  /** Writes `<home>/nginx/access.log`; default false. */
  readonly accessLog?: boolean;
  /** The port that stands in URLs with TLS; default: the one that is listened on. */
  readonly publicPort?: number | undefined;
  /** Seconds for which browsers are to ask with TLS only; default: nothing is said of it. */
  readonly hsts?: number | undefined;
  /** Addresses and networks whose word counts of where a client is and how it came. */
  readonly trustedProxies?: readonly string[];
  /** Others join it to the networks of previews, so it lets visitors wait until they said so; default false. */
  readonly isToldByOthers?: boolean;
}

/** What one run of nginx is made of, beside its settings. */
export interface Frame {
  readonly program: string;
  readonly modules: readonly string[];
  /** `<home>/nginx`, nginx's prefix. */
  readonly folder: string;
  /** Temporary files of the workers, outside the home that they cannot enter. */
  readonly temporary: string;
  readonly control: string;
  readonly host: string;
  readonly port: number;
  /** The folder of the sockets that it listens on in place of ports, where an entrance is before it. */
  readonly entrance: string | undefined;
  readonly tls: FrameTls | undefined;
}

export interface FrameTls {
  readonly port: number;
  /** The chain and the key, as nginx reads them when it starts. */
  readonly pairFile: string;
}

/** Where the templates are, from `src/embedded` and from `dist/embedded`. */
const TEMPLATES = fileURLToPath(new URL('../../nginx/', import.meta.url));
const TLS_FILE = 'tls.conf';
const LUA = join('lua', 'treehouse');
const WORKER_USERS = ['www-data', 'nginx', 'nobody'];

type Files = ReadonlyMap<string, string>;

/** Renders, and where any byte differs writes aside, lets nginx test it, and swaps. */
export async function install(frame: Frame, settings: NginxSettings): Promise<{ changed: boolean; revision: string }> {
  const { files, revision } = await render(frame, settings);
  if (await isInstalled(frame.folder, files)) return { changed: false, revision };
  const aside = join(frame.folder, 'next');
  await writeFiles(aside, files);
  await testConfiguration(frame.program, aside);
  await mkdir(join(frame.folder, LUA), { recursive: true, mode: 0o700 });
  for (const name of files.keys()) await rename(join(aside, name), join(frame.folder, name));
  await rm(aside, { recursive: true, force: true });
  return { changed: true, revision };
}

/** Lets nginx test the configuration with another pair than the one that it has. @throws {TreehouseError} with nginx's words. */
export async function tryPair(frame: Frame, settings: NginxSettings, pem: string): Promise<void> {
  const aside = join(frame.folder, 'next-pair');
  const pairFile = join(aside, 'pair.pem');
  const { files } = await render({ ...frame, tls: { port: frame.tls?.port ?? 0, pairFile } }, settings);
  try {
    await writeFiles(aside, files);
    await writeFile(pairFile, pem, { mode: 0o600 });
    await testConfiguration(frame.program, aside);
  } finally {
    await rm(aside, { recursive: true, force: true });
  }
}

async function writeFiles(folder: string, files: Files): Promise<void> {
  await rm(folder, { recursive: true, force: true });
  await mkdir(join(folder, LUA), { recursive: true, mode: 0o700 });
  for (const [name, text] of files) await writeFile(join(folder, name), text, { mode: 0o600 });
}

async function isInstalled(folder: string, files: Files): Promise<boolean> {
  for (const [name, text] of files) {
    if ((await readFile(join(folder, name), 'utf8').catch(() => undefined)) !== text) return false;
  }
  return true;
}

async function testConfiguration(program: string, folder: string): Promise<void> {
  try {
    await execute(program, ['-t', '-q', ...nginxArguments(folder)]);
  } catch (cause) {
    const said = cause instanceof Error && 'stderr' in cause ? String(cause.stderr).trim() : '';
    const text = `nginx -t refuses the gateway's new configuration in ${folder}: ${said || messageOf(cause)}`;
    throw new TreehouseError('route-failed', text, { cause });
  }
}

/** `folder` is the prefix, from which the configuration finds its Lua files and routes. */
export function nginxArguments(folder: string): readonly string[] {
  return ['-p', `${folder}/`, '-c', join(folder, 'nginx.conf'), '-e', 'stderr'];
}

async function render(frame: Frame, settings: NginxSettings): Promise<{ files: Files; revision: string }> {
  const log = settings.accessLog ? `${quoted(join(frame.folder, 'access.log'))} client` : 'off';
  const values = new Map([
    ['load_modules', frame.modules.map((file) => `load_module ${quoted(file)};`).join('\n')],
    ['user', await userLine()],
    ['pid_file', quoted(join(frame.folder, 'nginx.pid'))],
    ['error_log', quoted(join(frame.folder, 'error.log'))],
    ['access_log', log],
    ['listen', listenerOf(frame, 'http', frame.port)],
    // An entrance tells whose connection it passes on.
    ['how', frame.entrance === undefined ? 'so_keepalive=60s::' : 'proxy_protocol'],
    ...tlsValues(frame, settings),
    ['control', quoted(`unix:${frame.control}`)],
    ['pages', quoted(pagesAddress(settings.pages))],
    ['pages_name', quoted(isSocket(settings.pages) ? 'treehouse' : pagesAddress(settings.pages))],
    ['key', quoted(settings.key ?? '')],
    ...['client', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
      (kind) => [`temp_${kind}`, quoted(join(frame.temporary, kind))] as const,
    ),
  ]);
  const files = new Map([['away.html', await readFile(join(TEMPLATES, 'away.html'), 'utf8')]]);
  for (const name of ['nginx.conf', 'pages.conf', ...(frame.tls ? [TLS_FILE] : [])]) {
    const template = await readFile(join(TEMPLATES, `${name}.template`), 'utf8');
    files.set(
      name,
      template.replaceAll(/\{\{(\w+)\}\}/g, (_, place: string) => values.get(place) ?? unknownPlace(place)),
    );
  }
  for (const name of await readdir(join(TEMPLATES, LUA))) {
    files.set(join(LUA, name), await readFile(join(TEMPLATES, LUA, name), 'utf8'));
  }
  const domain = domainName(settings.domain);
  // The revision is how a reload is seen to have happened.
  const hash = createHash('sha256').update(domain);
  for (const text of files.values()) hash.update('\0').update(text);
  const revision = hash.digest('hex').slice(0, 16);
  const pages = pagesAddress(settings.pages);
  const at = isSocket(pages) ? pages.length : pages.lastIndexOf(':');
  const lines = [
    `domain = '${domain}'`,
    `revision = '${revision}'`,
    `pages_host = '${pages.slice(0, at)}'`,
    // With a socket there is none.
    `pages_port = ${pages.slice(at + 1) || 'nil'}`,
    `key = '${keyText(settings.key)}'`,
    ...(settings.adminHost === undefined ? [] : [`admin = '${domainName(settings.adminHost)}'`]),
    ...(settings.isToldByOthers ? ['told_by_others = true'] : []),
    ...(frame.tls ? [`https_port = '${portText(settings.publicPort ?? frame.tls.port)}'`] : []),
  ];
  files.set(join(LUA, 'settings.lua'), `return { ${lines.join(', ')} }\n`);
  return { files, revision };
}

/** What depends on TLS and on proxies before the gateway. */
function tlsValues(frame: Frame, settings: NginxSettings): readonly (readonly [string, string])[] {
  const { tls } = frame;
  const { hsts, trustedProxies = [] } = settings;
  const proxies = trustedProxies.map(networkText);
  return [
    ['tls', tls ? `include ${TLS_FILE};` : ''],
    ['listen_tls', tls ? listenerOf(frame, 'https', tls.port) : ''],
    ['pair', tls ? quoted(tls.pairFile) : ''],
    ['hsts', quoted(hsts === undefined ? '' : `max-age=${hsts}`)],
    // A browser would take the first, which is the application's.
    ['hide_hsts', hsts === undefined ? '' : 'proxy_hide_header Strict-Transport-Security;'],
    ['trusted', proxies.map((one) => `        ${one} 1;`).join('\n')],
  ];
}

/** Sockets that an entrance connects to while the file `open` is there: templates/install/entrance.lua. */
export function entranceFiles(folder: string): {
  readonly http: string;
  readonly https: string;
  readonly open: string;
} {
  return { http: join(folder, 'http.sock'), https: join(folder, 'https.sock'), open: join(folder, 'open') };
}

function listenerOf({ host, entrance }: Frame, socket: 'http' | 'https', port: number): string {
  if (entrance !== undefined) return quoted(`unix:${entranceFiles(entrance)[socket]}`);
  return quoted(`${isIPv6(host) ? `[${host}]` : host}:${port}`);
}

/** As a URL with TLS has it. */
function portText(port: number): string {
  return port === 443 ? '' : `:${port}`;
}

/** Goes into the configuration as it is. */
function networkText(text: string): string {
  if (/^[0-9a-fA-F.:]+(?:\/[0-9]{1,3})?$/.test(text)) return text;
  throw new TreehouseError('bad-config', `the gateway cannot trust '${text}': it is no address or network`);
}

/** Goes into Lua and a header as it is. */
function keyText(key = ''): string {
  if (/^[0-9a-f]*$/.test(key)) return key;
  throw new TreehouseError(
    'bad-config',
    "the gateway's key is not of hex digits: remove the file, and another is made",
  );
}

function unknownPlace(name: string): never {
  throw new Error(`nginx.conf.template has {{${name}}}, which nothing fills`);
}

/** A value as one word of nginx's configuration. */
function quoted(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for.
  if (/[\u0000-\u001f\u007f]/.test(text)) {
    throw new TreehouseError(
      'bad-config',
      `the gateway cannot use ${JSON.stringify(text)}: it holds a control character`,
    );
  }
  return `"${text.replaceAll(/["\\]/g, '\\$&')}"`;
}

function domainName(text: string): string {
  const domain = text.toLowerCase();
  if (/^(?=.{1,190}$)[a-z0-9-]+(?:\.[a-z0-9-]+)*$/.test(domain)) return domain;
  throw new TreehouseError('bad-config', `TREEHOUSE_DOMAIN: '${text}' is not a domain name`);
}

function isSocket(pages: string): boolean {
  return pages.startsWith('unix:');
}

/** Where to reach a server that may listen on every address. */
function pagesAddress(text: string): string {
  // It goes into Lua as it is.
  if (/^unix:\/[\w./-]+$/.test(text)) return text;
  const parts = /^(\[[0-9a-fA-F:]+\]|[A-Za-z0-9.-]+):([0-9]{1,5})$/.exec(text);
  if (!parts)
    throw new TreehouseError('bad-config', `the gateway needs host:port of Treehouse's server, not '${text}'`);
  const everywhere = new Map([
    ['0.0.0.0', '127.0.0.1'],
    ['[::]', '[::1]'],
  ]);
  return `${everywhere.get(parts[1] ?? '') ?? parts[1]}:${parts[2]}`;
}

/** Workers of a root's nginx run as somebody with no rights; anybody else's nginx cannot change its user. */
async function userLine(): Promise<string> {
  if (process.getuid?.() !== 0) return '';
  const accounts = (await readFile('/etc/passwd', 'utf8')).split('\n').map((line) => line.split(':'));
  const groups = (await readFile('/etc/group', 'utf8')).split('\n').map((line) => line.split(':'));
  for (const name of WORKER_USERS) {
    const account = accounts.find((fields) => fields[0] === name);
    const group = account && groups.find((fields) => fields[2] === account[3]);
    if (group?.[0]) return `user ${name} ${group[0]};`;
  }
  throw new TreehouseError('bad-config', `the gateway's workers need one of the users ${WORKER_USERS.join(', ')}`);
}

/** The modules to load, in order; none where Lua is compiled in. */
export async function luaModules(program: string): Promise<readonly string[]> {
  const { stderr } = await execute(program, ['-V']).catch((cause) => {
    throw cause.code === 'ENOENT' ? missing('nginx', 'nginx') : cause;
  });
  if (/lua-nginx-module|ngx_lua/.test(stderr)) return [];
  const folder = /--modules-path=(\S+)/.exec(stderr)?.[1] ?? '/usr/lib/nginx/modules';
  return ['ndk_http_module.so', 'ngx_http_lua_module.so'].map((name) => {
    const file = join(folder, name);
    if (!existsSync(file)) throw missing(`nginx's Lua module (${name} in ${folder})`, 'libnginx-mod-http-lua');
    return file;
  });
}

export function missing(what: string, debianPackage: string): TreehouseError {
  return new TreehouseError(
    'bad-config',
    `the gateway needs ${what}, which is not installed; on Debian: apt-get install ${debianPackage}`,
  );
}

function execute(program: string, args: readonly string[]): Promise<{ stdout: string; stderr: string }> {
  return promisify(execFile)(program, args, { env: { PATH: STANDARD_PATH }, timeout: 20_000 });
}
