/** Who is signed in to the dashboard, as it is kept: under the hash of an id that the browser alone has. */

export interface SessionRecord {
  /** Id of the token that was signed in with. */
  readonly token: string;
  /** The token's hash and the session's id, hashed together: it ends with the token, and helps nobody to guess it. */
  readonly proof: string;
  /** Milliseconds since the epoch. */
  readonly createdAt: number;
}

/** Sessions; all of them may be lost, and people sign in again. */
export interface Sessions {
  /** Kept for so many seconds, unless it is extended. */
  add(hash: string, record: SessionRecord, seconds: number): Promise<void>;
  find(hash: string): Promise<SessionRecord | undefined>;
  extend(hash: string, seconds: number): Promise<void>;
  remove(hash: string): Promise<void>;
}
