/** The password of a repository's previews: set, and cleared; nobody can read it. */
import { z } from 'zod';
import type { PreviewPasswords } from '../domain/passwords.ts';
import { type Route, route } from './route.ts';
import { repositoryParam } from './schemas.ts';

const wanted = z.strictObject({
  password: z
    .string()
    .min(8)
    .max(256)
    .regex(/^\P{Cc}*$/u, 'it has no control characters'),
});

export function passwordRoutes(passwords: PreviewPasswords): readonly Route[] {
  const common = {
    path: '/repositories/{owner}/{name}/password',
    group: 'links',
    needs: 'administer',
    scope: 'repository',
    params: repositoryParam,
  } as const;
  return [
    route({
      ...{ ...common, method: 'put', name: 'setPassword', act: 'set password', body: wanted, isSecret: true },
      summary: 'Set the password of its previews; whoever came in by another is asked again',
      answers: { 204: { what: 'It is set.' } },
      async handle({ about, body }) {
        await passwords.set(about.name, body.password);
        return { status: 204 };
      },
    }),
    route({
      ...{ ...common, method: 'delete', name: 'clearPassword', act: 'clear password' },
      summary: 'Forget the password: links alone open its previews then',
      answers: { 204: { what: 'There is none any more.' } },
      async handle({ about }) {
        await passwords.clear(about.name);
        return { status: 204 };
      },
    }),
  ];
}
