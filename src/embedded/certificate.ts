/** A certificate with its key, as two PEM files hold them: read, and judged before anybody is shown it. */
import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { messageOf, TreehouseError } from '../errors.ts';

/** Paths. They may be one file. */
export interface CertificateFiles {
  /** PEM: the gateway's own certificate first, then what it was issued by. */
  readonly cert: string;
  /** PEM, without a passphrase. */
  readonly key: string;
}

/** What the files held at one moment. */
export interface CertificateTexts {
  readonly cert: string;
  readonly key: string;
}

export interface Certificate {
  /** The chain and the key in one text. */
  readonly pem: string;
  readonly serial: string;
  /** Milliseconds since the epoch. */
  readonly endsAt: number;
}

/** The longest chain with its key is far below it. */
const SIZE_MAX = 256 * 1024;
const BEGIN = /-----BEGIN CERTIFICATE-----/g;
const BLOCK = /-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g;

/** @throws {TreehouseError} `bad-config` where one of them cannot be read. */
export async function readTexts(files: CertificateFiles): Promise<CertificateTexts> {
  const [cert, key] = await Promise.all([
    textOf(files.cert, 'tlsCert (TREEHOUSE_TLS_CERT)'),
    textOf(files.key, 'tlsKey (TREEHOUSE_TLS_KEY)'),
  ]);
  return { cert, key };
}

/**
 * The pair, where it is one that every preview below the domain can be served with now.
 * @throws {TreehouseError} `bad-config` that names the file, what is wrong with it, and the way out.
 */
export function judgeCertificate(
  texts: CertificateTexts,
  { files, domain, now }: { readonly files: CertificateFiles; readonly domain: string; readonly now: number },
): Certificate {
  const chain = chainOf(texts.cert, files.cert);
  const key = keyOf(texts.key, files.key);
  const [own, ...issuers] = chain;
  if (!own) throw fault(`${files.cert} holds no certificate: it is to be PEM, with -----BEGIN CERTIFICATE-----`);
  if (!own.checkPrivateKey(key)) {
    throw fault(
      issuers.some((one) => one.checkPrivateKey(key))
        ? `in ${files.cert} the certificate of the key is not the first: put it before those that it was issued by`
        : `the key in ${files.key} is not that of the certificate in ${files.cert}: give the two that were made together`,
    );
  }
  const [startsAt, endsAt] = [Date.parse(own.validFrom), Date.parse(own.validTo)];
  if (now >= endsAt) throw fault(`the certificate in ${files.cert} ended on ${own.validTo}: renew it`);
  if (now < startsAt)
    throw fault(`the certificate in ${files.cert} holds from ${own.validFrom} on: is the clock right?`);
  // Any name will do: what a wildcard covers it covers for all.
  if (!own.checkHost(`any--preview.${domain}`, { subject: 'never', wildcards: true, partialWildcards: false })) {
    const names = own.subjectAltName ?? 'no name';
    throw fault(`the certificate in ${files.cert} is for ${names}, not for previews: have one issued for *.${domain}`);
  }
  const pem = [...chain.map((one) => one.toString().trim()), key.export({ type: 'pkcs8', format: 'pem' })].join('\n');
  return { pem, serial: own.serialNumber, endsAt };
}

function chainOf(text: string, file: string): readonly X509Certificate[] {
  const blocks = text.match(BLOCK) ?? [];
  if (blocks.length !== (text.match(BEGIN) ?? []).length) throw fault(`${file} is cut short: write it whole`);
  return blocks.map((block, index) => {
    try {
      return new X509Certificate(block);
    } catch (cause) {
      throw fault(`certificate ${index + 1} in ${file} cannot be read (${messageOf(cause)}): write it whole`);
    }
  });
}

function keyOf(text: string, file: string): KeyObject {
  try {
    return createPrivateKey(text);
  } catch (cause) {
    const isSealed = text.includes('ENCRYPTED');
    throw fault(
      isSealed
        ? `the key in ${file} has a passphrase, which nobody is here to type: openssl pkey takes it off`
        : `${file} holds no private key in PEM that can be read (${messageOf(cause)}): write it whole`,
    );
  }
}

async function textOf(file: string, setting: string): Promise<string> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (cause) {
    throw fault(`${setting}: ${messageOf(cause)}; it is to be a PEM file that Treehouse may read`);
  }
  if (text.length > SIZE_MAX) throw fault(`${setting}: ${file} is larger than a certificate can be`);
  return text;
}

function fault(text: string): TreehouseError {
  return new TreehouseError('bad-config', `the gateway's TLS: ${text}`);
}
