/** As whom Treehouse pushes to the configured registry. */
import type { RegistryLogin } from '../domain/ports.ts';

/** Undefined where nobody is named, or half of it is, which is a fault. */
export function registryLogin(
  user: string | undefined,
  password: string | undefined,
  faults: string[],
): RegistryLogin | undefined {
  if (user === undefined && password === undefined) return undefined;
  if (user === undefined || password === undefined) {
    const missing = user === undefined ? 'TREEHOUSE_REGISTRY_USER' : 'TREEHOUSE_REGISTRY_PASSWORD (or …_FILE)';
    faults.push(`registry (TREEHOUSE_REGISTRY): half of a login is given: set ${missing} too`);
    return undefined;
  }
  if (user.includes(':')) {
    faults.push('TREEHOUSE_REGISTRY_USER: a name for Basic authentication holds no colon');
    return undefined;
  }
  return Object.freeze({ user, password });
}
