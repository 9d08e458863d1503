/**
 * Cuts what the tests use out of GitHub's OpenAPI description: `node test/support/github/cut-description.mjs`. The package holds
 * 385 MB; the cut is word for word but for the prose, and says where it is from.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

const PACKAGE = '@octokit/openapi@23.0.2';
const FILE = 'package/generated/api.github.com.json';
const OPERATIONS = [
  ['get', '/app'],
  ['get', '/app/hook/deliveries'],
  ['post', '/app/hook/deliveries/{delivery_id}/attempts'],
  ['post', '/app/installations/{installation_id}/access_tokens'],
  ['get', '/user'],
  ['get', '/repos/{owner}/{repo}/installation'],
  ['get', '/repos/{owner}/{repo}/collaborators/{username}/permission'],
  ['get', '/repos/{owner}/{repo}/compare/{basehead}'],
  ['post', '/repos/{owner}/{repo}/statuses/{sha}'],
  ['get', '/repos/{owner}/{repo}/commits/{ref}/check-runs'],
  ['post', '/repos/{owner}/{repo}/check-runs'],
  ['patch', '/repos/{owner}/{repo}/check-runs/{check_run_id}'],
  ['get', '/repos/{owner}/{repo}/deployments'],
  ['post', '/repos/{owner}/{repo}/deployments'],
  ['delete', '/repos/{owner}/{repo}/deployments/{deployment_id}'],
  ['post', '/repos/{owner}/{repo}/deployments/{deployment_id}/statuses'],
  ['delete', '/repos/{owner}/{repo}/environments/{environment_name}'],
  ['get', '/repos/{owner}/{repo}/issues/{issue_number}/comments'],
  ['post', '/repos/{owner}/{repo}/issues/{issue_number}/comments'],
  ['patch', '/repos/{owner}/{repo}/issues/comments/{comment_id}'],
  ['post', '/repos/{owner}/{repo}/issues/comments/{comment_id}/reactions'],
];

const folder = mkdtempSync(path.join(tmpdir(), 'github-description-'));
try {
  const [packed] = JSON.parse(execFileSync('npm', ['pack', PACKAGE, '--json'], { cwd: folder, encoding: 'utf8' }));
  execFileSync('tar', ['xzf', packed.filename, FILE], { cwd: folder });
  const whole = JSON.parse(readFileSync(path.join(folder, FILE), 'utf8'));
  const source = { package: PACKAGE, integrity: packed.integrity, file: FILE };
  writeFileSync(new URL('description.json', import.meta.url), asLines({ source, ...cut(whole) }));
} finally {
  rmSync(folder, { recursive: true });
}

function cut(whole) {
  const paths = {};
  const components = {};
  const take = (node) => {
    if (typeof node !== 'object' || node === null) return;
    if (typeof node.$ref === 'string') takeReferred(node.$ref);
    for (const value of Object.values(node)) take(value);
  };
  const takeReferred = (ref) => {
    const [, , kind, name] = ref.split('/');
    components[kind] ??= {};
    if (name in components[kind]) return;
    components[kind][name] = withoutProse(whole.components[kind][name]);
    take(components[kind][name]);
  };
  for (const [method, route] of OPERATIONS) {
    const operation = withoutProse(whole.paths[route][method]);
    paths[route] = { ...paths[route], [method]: operation };
    take(operation);
  }
  return { paths, components };
}

/** A property may be called `description` too; then it is no text. */
function withoutProse(node) {
  if (Array.isArray(node)) return node.map(withoutProse);
  if (typeof node !== 'object' || node === null) return node;
  const kept = Object.entries(node).filter(([name, value]) => !isProse(name, value));
  return Object.fromEntries(kept.map(([name, value]) => [name, name === 'value' ? value : withoutProse(value)]));
}

function isProse(name, value) {
  if (name === 'description' || name === 'summary') return typeof value === 'string';
  return (name === 'tags' && Array.isArray(value)) || name === 'externalDocs' || name === 'x-github';
}

/** A line for each path and component, so that a newer version can be read as a difference. */
function asLines({ source, paths, components }) {
  const lines = (entries, indent) =>
    Object.entries(entries)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, value]) => `${indent}${JSON.stringify(name)}: ${JSON.stringify(value)}`)
      .join(',\n');
  const kinds = Object.entries(components)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([kind, entries]) => `    ${JSON.stringify(kind)}: {\n${lines(entries, '      ')}\n    }`)
    .join(',\n');
  return `{\n  "source": ${JSON.stringify(source)},\n  "paths": {\n${lines(paths, '    ')}\n  },\n  "components": {\n${kinds}\n  }\n}\n`;
}
