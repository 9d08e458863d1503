/** Which addresses and names are of this machine, or of the networks that it stands in. */
import { BlockList, isIP } from 'node:net';

/** `machine`: this host itself, or the link that clouds answer on; `private`: networks that the outside does not reach. */
export type Nearness = 'machine' | 'private';

/** Loopback, unspecified and link-local; of IPv6 too. */
const MACHINE = blockList(['0.0.0.0/8', '127.0.0.0/8', '169.254.0.0/16'], ['::/128', '::1/128', 'fe80::/10']);
/** As the firewall has them (adapters/firewall.ts): RFC 1918, RFC 6598, RFC 2544; and unique and site-local ones of IPv6. */
const PRIVATE = blockList(
  ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '100.64.0.0/10', '198.18.0.0/15'],
  ['fc00::/7', 'fec0::/10'],
);

/** Those of IPv4 count in each form that IPv6 has for them; `::ffff:0:0/96` BlockList knows by itself. */
function blockList(four: readonly string[], six: readonly string[]): BlockList {
  const list = new BlockList();
  for (const [address, bits] of four.map(parts)) {
    list.addSubnet(address, bits, 'ipv4');
    // Translated (RFC 6052) and of the oldest kind, `::a.b.c.d`.
    for (const prefix of ['64:ff9b::', '::']) list.addSubnet(`${prefix}${address}`, 96 + bits, 'ipv6');
  }
  for (const [address, bits] of six.map(parts)) list.addSubnet(address, bits, 'ipv6');
  return list;
}

function parts(subnet: string): readonly [string, number] {
  const [address = '', bits] = subnet.split('/');
  return [address, Number(bits)];
}

/** Undefined for an address of the world; what is no address is taken for the machine's own. */
export function nearness(address: string): Nearness | undefined {
  // `fe80::1%eth0` names the way to it.
  const plain = address.replace(/%.*$/s, '');
  const family = isIP(plain);
  if (family === 0) return 'machine';
  const type = family === 4 ? 'ipv4' : 'ipv6';
  if (MACHINE.check(plain, type)) return 'machine';
  return PRIVATE.check(plain, type) ? 'private' : undefined;
}

/** A name that only this machine or its network knows. */
const LOCAL = /(?:^|\.)(?:localhost|internal|local|localdomain)$/;
/** A last part by which resolvers take the whole for an address: `127.1`, `0x7f.1`, `2130706433`. */
const NUMBER = /(?:^|\.)(?:\d+|0x[\da-f]*)$/;

/**
 * Of the host of a URL, by itself: is it near, or a name that has to be asked for? Anything but plain letters is near, since
 * Go makes an address of `１２７.0.0.1`.
 */
export function judgeHost(host: string): 'near' | 'far' | 'name' {
  const bare = host.toLowerCase().replace(/\.$/, '');
  const six = /^\[(.*)\]$/.exec(bare)?.[1];
  if (six !== undefined) return nearness(six) === undefined ? 'far' : 'near';
  if (isIP(bare) === 4) return nearness(bare) === undefined ? 'far' : 'near';
  const isPlain = bare.length <= 253 && /^[a-z\d_-]+(?:\.[a-z\d_-]+)+$/.test(bare);
  return !isPlain || NUMBER.test(bare) || LOCAL.test(bare) ? 'near' : 'name';
}
