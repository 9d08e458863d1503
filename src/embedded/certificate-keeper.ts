/** Keeps the gateway's certificate up to date with its files: a good new pair goes to nginx, a bad one to the log. */
import { messageOf, TreehouseError } from '../errors.ts';
import { writeWhole } from '../whole-file.ts';
import {
  type Certificate,
  type CertificateFiles,
  type CertificateTexts,
  judgeCertificate,
  readTexts,
} from './certificate.ts';

/** Hears what becomes of the certificate's files. */
export interface OnCertificate {
  /** From now on new handshakes get it. */
  taken?(certificate: Pick<Certificate, 'serial' | 'endsAt'>): void;
  /** What is served goes on; said once of each content of the files. */
  refused?(reason: string): void;
  /** What is served ends soon, or has ended; said once a day. */
  ending?(endsAt: number): void;
}

export interface KeeperOptions {
  readonly files: CertificateFiles;
  readonly domain: string;
  /** Where nginx reads the pair when it starts. */
  readonly pairFile: string;
  /** Milliseconds between two looks at the files. */
  readonly lookEvery?: number | undefined;
  readonly news?: OnCertificate | undefined;
  now(): number;
  /** @throws where nginx itself would not serve it. */
  tryOut(pem: string): Promise<void>;
}

type Tell = (pem: string) => Promise<void>;

export interface CertificateKeeper {
  /** From now on the files are looked at, and this is told of what is new in them. */
  follow(tell: Tell): void;
  stop(): Promise<void>;
}

/** A look costs two short reads. */
const LOOK_EVERY_MS = 1_000;
/** What was refused is judged anew: a certificate may only begin to hold. */
const JUDGE_AGAIN_MS = 60_000;
const DAY_MS = 86_400_000;
/** Whoever renews by a timer does so long before. */
const SOON_MS = 10 * DAY_MS;

/** Puts the pair where nginx reads it. @throws {TreehouseError} `bad-config` where the files hold no good one. */
export async function openCertificate(options: KeeperOptions): Promise<CertificateKeeper> {
  const { files, domain, news = {}, now } = options;
  const first = await readTexts(files);
  let served = await install(first);
  let servedKey = keyOf(first);
  /** What was seen at the last look: judged is what stays. Who writes two files has one written before the other. */
  let seenKey = servedKey;
  let refused: { readonly key: string; readonly at: number; readonly reason: string } | undefined;
  let warnedAt = 0;
  let timer: NodeJS.Timeout | undefined;
  let looking: Promise<void> = Promise.resolve();

  /** The file before nginx is told: whatever dies after it, an nginx that starts anew has the new pair. */
  async function install(texts: CertificateTexts): Promise<Certificate> {
    const certificate = judgeCertificate(texts, { files, domain, now: now() });
    await options.tryOut(certificate.pem).catch((cause: unknown) => {
      const text = `the gateway's TLS: with the certificate in ${files.cert} nginx does not start: ${messageOf(cause)}`;
      throw new TreehouseError('bad-config', text, { cause });
    });
    await writeWhole(options.pairFile, certificate.pem);
    return certificate;
  }

  async function look(tell: Tell): Promise<void> {
    const found = await readTexts(files).catch((error: Error) => error);
    const key = found instanceof Error ? found.message : keyOf(found);
    const isSettled = key === seenKey;
    seenKey = key;
    if (key === servedKey) refused = undefined;
    else if (isSettled && (key !== refused?.key || now() - refused.at > JUDGE_AGAIN_MS)) {
      try {
        if (found instanceof Error) throw found;
        const next = await install(found);
        await tell(next.pem);
        [served, servedKey, refused] = [next, key, undefined];
        news.taken?.(next);
      } catch (error) {
        const reason = messageOf(error);
        if (key !== refused?.key || reason !== refused.reason) news.refused?.(reason);
        refused = { key, at: now(), reason };
      }
    }
    if (served.endsAt - now() < SOON_MS && now() - warnedAt >= DAY_MS) {
      warnedAt = now();
      news.ending?.(served.endsAt);
    }
  }

  return {
    follow(tell) {
      const again = () => {
        timer = setTimeout(() => {
          looking = look(tell).then(again);
        }, options.lookEvery ?? LOOK_EVERY_MS);
      };
      again();
    },
    async stop() {
      clearTimeout(timer);
      await looking;
      clearTimeout(timer);
    },
  };
}

function keyOf({ cert, key }: CertificateTexts): string {
  return `${cert}\0${key}`;
}
