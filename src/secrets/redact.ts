/** Takes the values of secrets out of a text, in the forms in which programs print them. Pure. */

export interface Valued {
  readonly name: string;
  readonly value: Uint8Array;
}

/** Shorter values are left alone: they would be found in any text. */
export const MIN_LENGTH = 6;
/** Of a line of a value of several lines. */
export const MIN_LINE = 8;

/** The one function; without secrets it does nothing. */
export function redactor(secrets: readonly Valued[]): (text: string) => string {
  const needles = new Map<string, string>();
  for (const { name, value } of secrets) {
    for (const form of forms(value)) if (!needles.has(form)) needles.set(form, name);
  }
  if (needles.size === 0) return (text) => text;
  // By their first letters, so that a text is read once however many there are; the longest of each first.
  const byStart = new Map<string, string[]>();
  for (const needle of needles.keys()) {
    const start = needle.slice(0, MIN_LENGTH);
    byStart.set(start, [...(byStart.get(start) ?? []), needle]);
  }
  for (const list of byStart.values()) list.sort((a, b) => b.length - a.length);
  return (text) => {
    let out = '';
    let copied = 0;
    // Values that overlap go together: what is left of one by the other would be most of it.
    let span: { readonly start: number; end: number; readonly names: string[] } | undefined;
    const close = (): void => {
      if (!span) return;
      out += text.slice(copied, span.start) + span.names.map((name) => `[secret ${name}]`).join('');
      copied = span.end;
      span = undefined;
    };
    for (let at = 0; at + MIN_LENGTH <= text.length; at += 1) {
      const found = byStart.get(text.slice(at, at + MIN_LENGTH))?.find((one) => text.startsWith(one, at));
      if (found === undefined) continue;
      if (span && at >= span.end) close();
      const name = needles.get(found) ?? '';
      span ??= { start: at, end: at, names: [] };
      span.end = Math.max(span.end, at + found.length);
      if (!span.names.includes(name)) span.names.push(name);
    }
    close();
    return copied === 0 ? text : out + text.slice(copied);
  };
}

/** All that a value may look like in one line of output. */
export function forms(value: Uint8Array): ReadonlySet<string> {
  const bytes = Buffer.from(value);
  const text = bytes.toString('utf8');
  const all = new Set<string>();
  const add = (form: string, least = MIN_LENGTH): void => {
    if (form.length >= least) all.add(form);
  };
  // Below that even a form that is longer, such as base64, is a common word of few values.
  if (text.length < MIN_LENGTH) return all;
  for (const one of textForms(text)) add(one);
  for (const one of base64Forms(bytes)) add(one);
  const lines = text.split(/\r\n|[\r\n]/).map((line) => line.trim());
  if (lines.length === 1) {
    add(lines[0] ?? '');
    return all;
  }
  for (const line of lines) {
    if (line.length < MIN_LINE) continue;
    for (const one of textForms(line)) add(one, MIN_LINE);
    for (const one of base64Forms(Buffer.from(line))) add(one, MIN_LINE);
  }
  return all;
}

function textForms(text: string): readonly string[] {
  const json = JSON.stringify(text).slice(1, -1);
  const ascii = json.replaceAll(
    /[^\u0020-\u007e]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  const url = encodeURIComponent(text);
  const strict = url.replaceAll(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
  const loose = encodeURI(text);
  const urls = [url, strict, loose].flatMap((one) => [one, one.replaceAll('%20', '+')]);
  const lower = urls.map((one) => one.replaceAll(/%[0-9A-F]{2}/g, (code) => code.toLowerCase()));
  return [text, json, json.replaceAll('/', '\\/'), ascii, ...urls, ...lower];
}

/** Whole, and as a part of a longer text (`user:password`), where its letters depend on where in a group of three it begins. */
function base64Forms(bytes: Buffer): readonly string[] {
  const whole = bytes.toString('base64');
  const inner = [0, 1, 2].map((shift) => {
    const padded = Buffer.concat([Buffer.alloc(shift), bytes]).toString('base64');
    // Letters that carry bits of a neighbour are not known.
    return padded.slice([0, 2, 3][shift], Math.floor((8 * (shift + bytes.length)) / 6));
  });
  const all = [whole, whole.replace(/=+$/, ''), ...inner];
  const safe = all.map((one) => one.replaceAll('+', '-').replaceAll('/', '_'));
  return [...all, ...safe, ...safe.map((one) => encodeURIComponent(one)), ...all.map((one) => encodeURIComponent(one))];
}
