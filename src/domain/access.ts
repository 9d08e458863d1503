/** Who may do what through the API: roles, how far they reach, and the decision. Pure. */
import type { RepositoryName } from './names.ts';

/** Each may do what the ones before it may. */
export const ROLES = ['reader', 'operator', 'admin'] as const;
export type Role = (typeof ROLES)[number];

/** `read` looks, `operate` acts on previews, `administer` changes what Treehouse is. */
export type Permission = 'read' | 'operate' | 'administer';

/** Whoever a request comes from. */
export interface Principal {
  /** Of the token: two may have one name. */
  readonly id: string;
  /** Of the token, as people named it; for the audit trail. */
  readonly name: string;
  readonly role: Role;
  /** The repositories that it reaches; what is of the host is for those that reach all. */
  readonly repositories: ReadonlySet<RepositoryName> | 'all';
}

const LEAST: Readonly<Record<Permission, Role>> = { read: 'reader', operate: 'operator', administer: 'admin' };

/** Whether the role is enough, wherever it reaches. */
export function isAllowed(principal: Principal, permission: Permission): boolean {
  return ROLES.indexOf(principal.role) >= ROLES.indexOf(LEAST[permission]);
}

/** Whether it sees anything of this repository, or of the host where none is named. */
export function reaches(principal: Principal, repository?: RepositoryName): boolean {
  if (principal.repositories === 'all') return true;
  return repository !== undefined && principal.repositories.has(repository);
}
