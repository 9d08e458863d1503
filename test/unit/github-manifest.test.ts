/** What is asked of GitHub, and at which addresses; its form's own rules are in test/support/github-web.ts. */
import { expect, it } from 'vitest';
import { appManifest, appName, organisation, registrationUrl, webhookUrl, webOf } from '../../src/github/manifest.ts';
import { faultOf } from '../support/github-web.ts';

const options = {
  name: 'Treehouse on oak',
  homepage: 'http://127.0.0.1:4000/',
  redirectUrl: 'http://127.0.0.1:45678/made',
  webhookUrl: undefined,
};

it('asks for the least, and for no events without an address for them', () => {
  const manifest = appManifest(options);
  expect(manifest).toEqual({
    name: 'Treehouse on oak',
    url: 'http://127.0.0.1:4000/',
    description: 'A live preview of every branch.',
    public: false,
    redirect_url: 'http://127.0.0.1:45678/made',
    default_permissions: {
      metadata: 'read',
      contents: 'read',
      pull_requests: 'write',
      issues: 'read',
      checks: 'write',
      deployments: 'write',
    },
  });
  expect(faultOf({ ...manifest })).toBeUndefined();
});

it('asks for events that its permissions bear', () => {
  const manifest = appManifest({ ...options, webhookUrl: 'https://treehouse.example.com/webhooks/github' });
  expect(manifest.hook_attributes).toEqual({ url: 'https://treehouse.example.com/webhooks/github', active: true });
  expect(manifest.default_events).toEqual(['push', 'create', 'delete', 'pull_request', 'issue_comment', 'repository']);
  expect(faultOf({ ...manifest })).toBeUndefined();
});

it.each([
  ['https://api.github.com', 'https://github.com'],
  ['https://api.octocorp.ghe.com', 'https://octocorp.ghe.com'],
  ['https://ghe.example/api/v3', 'https://ghe.example'],
  ['https://ghe.example:8443/api/v3', 'https://ghe.example:8443'],
  ['https://api.example/api/v3', 'https://api.example'],
  ['http://127.0.0.1:4567/api/v3', 'http://127.0.0.1:4567'],
])('finds the pages of %s', (api, web) => {
  expect(webOf(api)).toBe(web);
});

it('leads to oneself, or to an organisation', () => {
  expect(registrationUrl('https://github.com', undefined, 'a+b')).toBe(
    'https://github.com/settings/apps/new?state=a%2Bb',
  );
  expect(registrationUrl('https://ghe.example', 'acme', 's')).toBe(
    'https://ghe.example/organizations/acme/settings/apps/new?state=s',
  );
});

it.each([
  ['https://treehouse.example.com', 'https://treehouse.example.com/webhooks/github'],
  ['https://treehouse.example.com:8443/', 'https://treehouse.example.com:8443/webhooks/github'],
  ['https://example.com/hooks/x', 'https://example.com/hooks/x'],
])('has deliveries of %s at %s', (text, url) => {
  expect(webhookUrl(text)).toBe(url);
});

it.each([
  ['treehouse.example.com', 'is no URL'],
  ['http://treehouse.example.com', 'is not https'],
  ['https://ada:x@example.com', 'holds a name or a password'],
  ['https://localhost:4000', 'is this machine alone'],
  ['https://127.0.0.1', 'is this machine alone'],
  ['https://shop.preview.localhost', 'is this machine alone'],
])('refuses deliveries at %s', (text, why) => {
  expect(() => webhookUrl(text)).toThrow(why);
  expect(() => webhookUrl(text)).toThrow(expect.objectContaining({ code: 'bad-config' }));
});

it.each(['', '-acme', 'acme/shop', '..', 'a b', 'x'.repeat(40)])('takes %j for no organisation', (text) => {
  expect(() => organisation(text)).toThrow(expect.objectContaining({ code: 'bad-config' }));
});

it.each(['', '   ', 'x'.repeat(35)])('takes %j for no name', (text) => {
  expect(() => appName(text)).toThrow(expect.objectContaining({ code: 'bad-config' }));
});
