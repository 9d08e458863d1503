/** Which addresses and names only programs of the same machine reach. Pure. */

/** Names below `localhost` never leave the machine: RFC 6761, 6.3. */
export function isLoopback(host: string): boolean {
  return /^(?:127\.[\d.]+|\[?::1\]?|\[?::ffff:127\.[\d.]+\]?|(?:[a-z0-9-]+\.)*localhost)$/i.test(host);
}
