/** Share links, as they are kept: never the link itself, only what it hashes to. */
import type { OpenLink } from './guards.ts';
import type { PreviewId } from './names.ts';

export interface LinkRecord extends OpenLink {
  /** SHA-256 of the whole secret, hexadecimal. It has 256 bits of chance in it, so a slow hash would add nothing. */
  readonly hash: string;
  /** Milliseconds since the epoch. */
  readonly createdAt: number;
  /** Who made it: the name of a token. */
  readonly by: string;
}

/** Links that people made and that were not ended; some may be past their end. */
export interface Links {
  all(): Promise<readonly LinkRecord[]>;
  find(id: string): Promise<LinkRecord | undefined>;
  add(record: LinkRecord): Promise<void>;
  /** @returns whether there was one. */
  remove(id: string): Promise<boolean>;
}

/** The links of previews, at the gateway too. */
export interface SharedLinks {
  /** Those that open something now; what has ended is forgotten. */
  all(): Promise<readonly LinkRecord[]>;
  /** The secret is told this once. @throws where the gateway could not be told: then there is no link. */
  share(wanted: Pick<LinkRecord, 'preview' | 'expiresAt' | 'by'>): Promise<{ secret: string; record: LinkRecord }>;
  /** Ends a link of a preview at once, with all that was opened by it; nothing where there is none. */
  revoke(preview: PreviewId, id: string): Promise<void>;
  /** Ends all links of a preview. */
  revokeAll(preview: PreviewId): Promise<void>;
}
