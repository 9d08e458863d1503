/** Of which host the gateway asks. */

/** The label of `label.domain`, in lower case; undefined where it is another host. */
export function hostLabel(host: string, domain: string): string | undefined {
  const name = host.toLowerCase().replace(/:\d+$/, '').replace(/\.$/, '');
  return name.endsWith(`.${domain}`) ? name.slice(0, -domain.length - 1) : undefined;
}
