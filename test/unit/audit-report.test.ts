/** The audit's report, for people and for programs; and the verb around it. */
import { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { auditCommand } from '../../src/audit/command.ts';
import type { Facts } from '../../src/audit/facts.ts';
import { gradeFacts } from '../../src/audit/grade.ts';
import { reportText } from '../../src/audit/report.ts';
import { TreehouseError } from '../../src/errors.ts';
import { GOOD, GOOD_CONTAINER, GOOD_ENGINE, NOW, withContainer, withEngine } from '../support/audit.ts';

const plain = { colours: false, columns: Number.POSITIVE_INFINITY };

describe('the report', () => {
  it('is grouped by subject, the gravest first, each with what to do; what is the same is said once', () => {
    const container = (preview: string, service: string, more: object) => ({
      ...GOOD_CONTAINER,
      preview,
      service,
      ...more,
    });
    const facts: Facts = {
      ...GOOD,
      host: { ...GOOD.host, virtual: { unseen: 'no /proc' } },
      engine: {
        ...GOOD_ENGINE,
        liveRestore: false,
        containers: [
          container('b--shop', 'web', { restart: 'always' }),
          container('a--shop', 'web', { cpu: false }),
          container('a--shop', 'api', { cpu: false, pids: 0 }),
          container('c--shop', 'web', { restart: 'always' }),
        ],
      },
      settings: { ...GOOD.settings, repositories: [{ name: 'acme/shop', images: { allow: ['redis'] } }] },
    };
    expect(reportText(gradeFacts(facts), plain)).toMatchInlineSnapshot(`
      "host
        · info live-restore        all containers end when the engine is restarted, as an update does
                                   → set "live-restore": true in /etc/docker/daemon.json and reload the engine, so that updates cost nothing

      repository acme/shop
        ! warn image-scan          no scanner looks its images through
                                   → configure scan: {by: trivy, mode: gate} (grype, clair) for the repository: docs/images.md

      a--shop
        ✘ fail pids                api: it may start processes without end (a fork bomb)
                                   → redeploy it: Treehouse limits processes
        ! warn cpu                 web, api: it may use all CPU time of the host
                                   → redeploy it: Treehouse limits CPU time

      b--shop, c--shop
        · info restart             web: it is restarted without end (always), also after the host was
                                   → set restart: on-failure:5, so that what is broken stays down and is seen

      not seen
        ? host-vm: no /proc

      1 fail, 3 warn, 3 info · 149 passed, 1 not seen · 4 containers"
    `);
  });

  it('says that all is well', () => {
    expect(reportText(gradeFacts(GOOD), plain)).toBe('0 fail, 0 warn, 0 info · 35 passed · no preview runs');
  });

  it('does not say that nothing runs where it could not see', () => {
    const text = reportText(gradeFacts({ ...GOOD, engine: { unseen: 'no engine' } }), plain);
    expect(text).toContain('what runs is not known');
  });

  it('fits a terminal, in colours', () => {
    const text = reportText(gradeFacts(withContainer({ privileged: true, pids: 0 })), { colours: true, columns: 72 });
    expect(text).toContain('\u001b[31m✘ fail\u001b[39m');
    // biome-ignore lint/suspicious/noControlCharactersInRegex: colours begin so.
    for (const line of text.replaceAll(/\u001b\[\d+m/g, '').split('\n')) expect(line.length).toBeLessThanOrEqual(72);
  });

  it('shows no control characters of names that strangers chose', () => {
    const evil = 'a\u001b[2J\u202e\nb';
    const facts = withContainer({
      preview: evil,
      service: evil,
      imageName: `${evil}:latest`,
      image: { ...GOOD_CONTAINER.image, isBuilt: false } as never,
      mounts: [{ type: 'bind', source: `/etc/${evil}`, target: evil, writable: true }],
      secretVariables: [{ name: evil, why: 'by its name' }],
      networks: [{ name: 'n', previews: [evil], strangers: [] }],
      processes: [
        { pid: 100, parent: 1, program: 'sh' },
        { pid: 101, parent: 100, program: evil },
        { pid: 102, parent: 100, program: 'x' },
      ],
    });
    expect(reportText(gradeFacts(facts), plain)).not.toMatch(/[^\P{Cc}\n]|[\u202a-\u202e]/u);
    expect(JSON.stringify(gradeFacts(facts))).not.toMatch(/\\u001b|\u202e/);
  });
});

describe('treehouse audit', () => {
  async function audit(facts: Facts, ...args: string[]): Promise<{ readonly out: string; readonly code: number }> {
    const said: string[] = [];
    let code = 0;
    const program = new Command('treehouse').exitOverride();
    auditCommand(program, {
      config: () => facts.settings,
      configFile: () => '/srv/house/treehouse.yml',
      engine: async () => ({
        observe: async () => {
          if ('unseen' in facts.engine) throw new TreehouseError('engine-away', facts.engine.unseen);
          return facts.engine;
        },
      }),
      host: () => ({ observe: async () => facts.host, home: async () => facts.home }),
      print: (text) => said.push(text),
      terminal: plain,
      now: () => NOW,
      exit: (given) => {
        code = given;
      },
    });
    await program.parseAsync(['audit', ...args], { from: 'user' });
    return { out: said.join('\n'), code };
  }

  it.each<[string, Facts, string[], number]>([
    ['well', GOOD, ['--fail-on', 'info'], 0],
    ['a warning, by default', withContainer({ cpu: false }), [], 0],
    ['a warning, where it matters', withContainer({ cpu: false }), ['--fail-on', 'warn'], 1],
    ['an info, where it matters', withEngine({ liveRestore: false }), ['--fail-on', 'info'], 1],
    ['a failure', withContainer({ pids: 0 }), [], 1],
    ['an engine that is away', { ...GOOD, engine: { unseen: 'no engine' } }, [], 1],
  ])('ends by its threshold: %s', async (_what, facts, args, code) => {
    expect((await audit(facts, ...args)).code).toBe(code);
  });

  it('prints JSON', async () => {
    const { out } = await audit(withContainer({ pids: 0 }), '--json');
    expect(JSON.parse(out)).toEqual({
      at: '2026-11-24T00:00:00.000Z',
      failOn: 'fail',
      failed: true,
      containers: 1,
      counts: { fail: 1, warn: 0, info: 0, passed: expect.any(Number), unseen: 0 },
      unseen: [],
      findings: [
        {
          rule: 'pids',
          severity: 'fail',
          subject: { kind: 'preview', name: 'main--shop', part: 'web', container: 'c0ffeec0ffee' },
          title: 'Its processes are limited',
          found: 'it may start processes without end (a fork bomb)',
          todo: 'redeploy it: Treehouse limits processes',
          from: 'DoS',
        },
      ],
    });
  });

  it('knows no other threshold', async () => {
    await expect(audit(GOOD, '--fail-on', 'never')).rejects.toMatchObject({ code: 'bad-config' });
  });
});
