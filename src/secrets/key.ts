/** The key in `<home>/secrets/key`, and what is sealed with it: AES-256-GCM, its nonces at random. */
import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomBytes, timingSafeEqual } from 'node:crypto';
import { z } from 'zod';

export const KEY_BYTES = 32;
const CIPHER = 'aes-256-gcm';
const TAG_BYTES = 16;

export const sealedSchema = z.strictObject({ nonce: z.base64(), text: z.base64(), tag: z.base64() });
export type Sealed = z.infer<typeof sealedSchema>;

export interface Key {
  /** Tells keys apart, and nothing of them. */
  readonly id: string;
  /** `about` is bound to the text: it opens only beside the same. */
  seal(plain: Uint8Array, about: string): Sealed;
  /** Undefined where the key is another, or text or `about` were changed. */
  open(sealed: Sealed, about: string): Buffer | undefined;
  /** Vouches for a whole file. */
  sign(text: string): string;
  signed(text: string, signature: string): boolean;
}

export function keyOf(bytes: Uint8Array): Key {
  // One key a purpose, so that nothing made for one is of use for another.
  const derived = (purpose: string) => Buffer.from(hkdfSync('sha256', bytes, '', `treehouse secrets: ${purpose}`, 32));
  const [sealing, signing] = [derived('seal'), derived('sign')];
  const hmac = (text: string) => createHmac('sha256', signing).update(text).digest();
  return {
    id: derived('id').toString('hex').slice(0, 16),
    seal(plain, about) {
      const nonce = randomBytes(12);
      const cipher = createCipheriv(CIPHER, sealing, nonce, { authTagLength: TAG_BYTES });
      cipher.setAAD(Buffer.from(about));
      const text = Buffer.concat([cipher.update(plain), cipher.final()]);
      return { nonce: base64(nonce), text: base64(text), tag: base64(cipher.getAuthTag()) };
    },
    open(sealed, about) {
      try {
        const nonce = Buffer.from(sealed.nonce, 'base64');
        const cipher = createDecipheriv(CIPHER, sealing, nonce, { authTagLength: TAG_BYTES });
        cipher.setAAD(Buffer.from(about));
        cipher.setAuthTag(Buffer.from(sealed.tag, 'base64'));
        return Buffer.concat([cipher.update(Buffer.from(sealed.text, 'base64')), cipher.final()]);
      } catch {
        return undefined;
      }
    },
    sign: (text) => hmac(text).toString('hex'),
    signed(text, signature) {
      const given = Buffer.from(signature, 'hex');
      const right = hmac(text);
      return given.length === right.length && timingSafeEqual(given, right);
    },
  };
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}
