import { describe, expect, it } from 'vitest';
import { doorFaults } from '../../src/config/door.ts';
import { readConfig } from '../../src/config.ts';
import { excludedBecause } from '../../src/domain/desired.ts';
import { selects } from '../../src/domain/globs.ts';
import { isLoopback } from '../../src/domain/loopback.ts';
import { type Branch, previewId, repositoryName } from '../../src/domain/names.ts';

const door = { host: '127.0.0.1', domain: 'preview.example.com' };

describe('the address that the dashboard listens at', () => {
  it.each(['127.0.0.1', '127.1.2.3', '::1', '[::1]', 'localhost'])('%s needs no token that was given', (host) => {
    expect(isLoopback(host)).toBe(true);
    expect(doorFaults({ ...door, host })).toEqual([]);
  });

  it.each(['0.0.0.0', '::', '10.0.0.5', '192.168.1.4', 'treehouse.example.com', '128.0.0.1', '127.0.0.1.example.com'])(
    '%s is refused without one, with the way out',
    (host) => {
      const [fault] = doorFaults({ ...door, host });
      expect(fault).toContain(
        `host (TREEHOUSE_HOST): ${host} is reached from outside, and no admin token is configured`,
      );
      expect(fault).toContain('set TREEHOUSE_ADMIN_TOKEN (or TREEHOUSE_ADMIN_TOKEN_FILE), or listen on 127.0.0.1');
      expect(doorFaults({ ...door, host, adminToken: 'short' })[0]).toContain('fewer than 20 characters');
      expect(doorFaults({ ...door, host, adminToken: 'x'.repeat(20) })).toEqual([]);
    },
  );

  it('is refused by the configuration as a whole', () => {
    const read = (env: Record<string, string>) => readConfig({ env, cwd: '/nonexistent' });
    expect(() => read({ TREEHOUSE_HOST: '0.0.0.0' })).toThrow('no admin token is configured');
    expect(read({ TREEHOUSE_HOST: '0.0.0.0', TREEHOUSE_ADMIN_TOKEN: 'a'.repeat(40) }).host).toBe('0.0.0.0');
  });
});

describe('the name of the dashboard', () => {
  const read = (adminHost: string, hostname = '{branch}') =>
    readConfig({
      env: {
        TREEHOUSE_DOMAIN: 'preview.example.com',
        TREEHOUSE_ADMIN_HOST: adminHost,
        TREEHOUSE_HOSTNAME: hostname,
        TREEHOUSE_REPOS: 'acme/shop=/srv/shop',
      },
      cwd: '/nonexistent',
    });
  const why = (adminHost: string, branch: string, hostname?: string) => {
    const [repository] = read(adminHost, hostname).repositories;
    const id = previewId(repository?.slug ?? '', branch as Branch);
    const preview = { id, repository: repositoryName('acme/shop'), branch: branch as Branch };
    return excludedBecause(preview, repository);
  };

  it('is no branch’s', () => {
    expect(why('treehouse.preview.example.com', 'treehouse')).toBe(
      "'treehouse' is the host name of the dashboard (adminHost): rename the branch to give it a preview",
    );
    expect(selects(['*'], 'treehouse')).toBe(true);
    expect(why('treehouse.preview.example.com', 'treehouse2')).toBeUndefined();
    // Its preview has another name: treehouse--shop.
    expect(why('treehouse.preview.example.com', 'treehouse', '{branch}--{repo}')).toBeUndefined();
    expect(why('treehouse.example.com', 'treehouse')).toBeUndefined();
    expect(why('treehouse.admin.preview.example.com', 'treehouse')).toBeUndefined();
  });

  it('is none that a branch or a service beside one could get', () => {
    expect(() => read('web--main.preview.example.com')).toThrow("take a name without '--'");
    expect(() => read('Not A Name')).toThrow('it is a host name in lower case');
  });
});
