/**
 * What happens to a repository or to the App, as GitHub tells it: what somebody is to change here, and nothing that is done. A
 * preview goes when the configuration or the remote says so, never because a delivery does. Pure.
 */
import { z } from 'zod';
import type { Repository } from '../domain/ports.ts';
import {
  action,
  attention,
  findRepository,
  type Interpretation,
  ignored,
  notConfigured,
  quote,
  reading,
  repositoryField,
} from './interpretation.ts';

const ofName = z.object({ action: z.string(), repository: repositoryField });
const owner = z.object({ login: z.string() });
const renamed = z.object({
  repository: repositoryField,
  changes: z.object({
    repository: z.object({ name: z.object({ from: z.string() }) }).optional(),
    owner: z.object({ from: z.object({ user: owner.nullish(), organization: owner.nullish() }) }).optional(),
  }),
});
const STAYS = 'its previews stay until it is taken out of the configuration';

export function ofRepository(payload: unknown, repositories: readonly Repository[]): Interpretation {
  return reading(ofName, payload, ({ action: did, repository: { full_name } }) => {
    if (did === 'renamed' || did === 'transferred')
      return reading(renamed, payload, (read) => ofMove(read, repositories));
    const known = findRepository(repositories, full_name)?.name;
    if (known === undefined) return notConfigured(full_name);
    switch (did) {
      case 'deleted':
        return attention(`${known} was deleted: ${STAYS}`);
      case 'archived':
        return attention(
          `${known} was archived, so nothing is pushed to it any more: ${STAYS}, or until nobody uses them (\`ttl\`)`,
        );
      case 'privatized':
        return attention(`${known} is private now: it is read on only with credentials that may`);
      default:
        return ignored(`the action ${quote(did)} on a repository changes nothing of a preview`);
    }
  });
}

/** GitHub leads from the old name to the new one, so git goes on; deliveries come with the new one alone. */
function ofMove(
  { repository: { full_name }, changes }: z.output<typeof renamed>,
  repositories: readonly Repository[],
): Interpretation {
  const [login = '', name = ''] = full_name.split('/');
  const from = changes.owner?.from.organization ?? changes.owner?.from.user;
  const before = `${from?.login ?? login}/${changes.repository?.name.from ?? name}`;
  const known = findRepository(repositories, before);
  if (!known) return notConfigured(before);
  return attention(
    `${known.name} is called ${quote(full_name)} now: name it so in the configuration, which gives its previews names of the new one; until then the sweep alone sees what is pushed`,
  );
}

const installation = z.object({
  installation: z.object({ account: z.object({ login: z.string().nullish() }).nullish() }),
  repositories: z.array(repositoryField).nullish(),
  repositories_removed: z.array(repositoryField).nullish(),
});

export function ofInstallation(event: string, payload: unknown, repositories: readonly Repository[]): Interpretation {
  return reading(action, payload, ({ action: did }) =>
    reading(installation, payload, (read) => {
      const account = read.installation.account?.login ?? '';
      const isOver = event === 'installation' ? did === 'deleted' || did === 'suspend' : did === 'removed';
      if (!isOver) return ignored(`the App was given more, or had it before: ${quote(did)}`);
      const named = (event === 'installation' ? read.repositories : read.repositories_removed) ?? [];
      const concerned = repositories.filter((one) => {
        const isNamed = named.some(({ full_name }) => full_name.toLowerCase() === one.name.toLowerCase());
        return isNamed || (event === 'installation' && one.name.toLowerCase().startsWith(`${account.toLowerCase()}/`));
      });
      if (concerned.length === 0) return ignored("the App was taken from no repository of this server's configuration");
      const names = concerned.map(({ name }) => name).join(', ');
      const what = did === 'suspend' ? 'suspended for' : 'taken from';
      return attention(
        `the App was ${what} ${names}: nothing is reported there, and what is private cannot be read, until it is back; previews stay until their repository is taken out of the configuration`,
      );
    }),
  );
}
