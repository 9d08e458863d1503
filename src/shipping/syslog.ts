/** Lines as syslog messages (RFC 5424), counted in octets (RFC 6587, 3.4.1; RFC 5425 over TLS). */
import { type Frame, SEVERITY } from '../domain/shipping.ts';

/** `local0`, of RFC 5424, table 1. */
const FACILITY = 16;
/** Private enterprise number that is set apart for documentation (RFC 5612): Treehouse has none of its own. */
const ELEMENT = 'treehouse@32473';
/** Fields of the header, by their longest (RFC 5424, 6). */
const HOST_MAX = 255;
const NAME_MAX = 48;
const ID_MAX = 128;

export const syslogFrame: Frame = (of, line) => {
  const priority = FACILITY * 8 + SEVERITY[line.stream];
  const header = [
    `<${priority}>1`,
    // No finer than microseconds (6.2.3).
    line.at.replace(/(\.\d{6})\d+/, '$1'),
    word(of.id, HOST_MAX),
    word(of.service, NAME_MAX),
    word(of.container.slice(0, 12), ID_MAX),
    '-',
  ].join(' ');
  const data = Object.entries({
    preview: of.id,
    repository: of.repository,
    branch: of.branch,
    commit: of.commit,
    service: of.service,
    stream: line.stream,
  }).map(([name, value]) => ` ${name}="${quoted(value)}"`);
  const message = Buffer.from(`${header} [${ELEMENT}${data.join('')}] ${oneLine(line.text)}`);
  return Buffer.concat([Buffer.from(`${message.length} `), message]);
};

/** PRINTUSASCII and no space; `-` where there is nothing. */
function word(text: string, most: number): string {
  return text.replaceAll(/[^\x21-\x7e]/g, '_').slice(0, most) || '-';
}

/** 6.3.3. */
function quoted(value: string): string {
  return oneLine(value).replaceAll(/["\\\]]/g, '\\$&');
}

/** Who splits at line ends, whatever the count says, is told no lie by a container. */
function oneLine(text: string): string {
  return text.replaceAll(/[\r\n\0]/g, ' ');
}
