import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { forms, MIN_LENGTH, MIN_LINE, redactor } from '../../src/secrets/redact.ts';

const NAME = 'db_password';
const of = (value: string, name = NAME) => redactor([{ name, value: Buffer.from(value) }]);
const VALUE = 'p@ss w0rd/+\'&"é';

describe('the redaction of a secret', () => {
  it.each<[string, string]>([
    ['as it is', VALUE],
    ['in base64', Buffer.from(VALUE).toString('base64')],
    ['in base64 without its end', Buffer.from(VALUE).toString('base64').replace(/=+$/, '')],
    ['in base64 for URLs', Buffer.from(VALUE).toString('base64url')],
    ['URL-encoded', encodeURIComponent(VALUE)],
    ['URL-encoded as a form', new URLSearchParams({ x: VALUE }).toString().slice(2)],
    ['URL-encoded in lower case', encodeURIComponent(VALUE).replaceAll(/%../g, (code) => code.toLowerCase())],
    ['in JSON', JSON.stringify(VALUE).slice(1, -1)],
    ['in JSON of letters alone', JSON.stringify(VALUE).slice(1, -1).replace('é', '\\u00e9')],
    ['in JSON with slashes escaped', JSON.stringify(VALUE).slice(1, -1).replace('/', '\\/')],
  ])('finds it %s', (_, form) => {
    expect(of(VALUE)(`before ${form} after`)).toBe(`before [secret ${NAME}] after`);
  });

  it('finds it as a part of what was put in base64', () => {
    for (const user of ['a', 'ab', 'abc', 'ada']) {
      const header = Buffer.from(`${user}:${VALUE}!`).toString('base64');
      const out = of(VALUE)(`authorization: Basic ${header}`);
      expect(out).toContain(`[secret ${NAME}]`);
      expect(out.length).toBeLessThan(60);
    }
  });

  it('leaves alone what is shorter than six characters', () => {
    expect(of('12345')('12345 123456 MTIzNDU=')).toBe('12345 123456 MTIzNDU=');
    expect(of('123456')('12345 123456')).toBe(`12345 [secret ${NAME}]`);
  });

  it('finds the lines of a value of several lines', () => {
    const redact = of('-----BEGIN KEY-----\r\n  c2VjcmV0IGxpbmU\nshort\n-----END KEY-----\n');
    expect(redact('x c2VjcmV0IGxpbmU y')).toBe(`x [secret ${NAME}] y`);
    expect(redact('-----BEGIN KEY-----')).toBe(`[secret ${NAME}]`);
    expect(redact('a short line')).toBe('a short line');
    expect(
      redact(JSON.stringify({ key: '-----BEGIN KEY-----\r\n  c2VjcmV0IGxpbmU\nshort\n-----END KEY-----\n' })),
    ).toBe(`{"key":"[secret ${NAME}]"}`);
  });

  it('takes overlapping values out together', () => {
    const redact = redactor([
      { name: 'a', value: Buffer.from('abcdef') },
      { name: 'b', value: Buffer.from('cdefghijklmnop') },
    ]);
    expect(redact('abcdefghijklmnop abcdef')).toBe('[secret a][secret b] [secret a]');
  });

  it('does nothing without secrets', () => {
    expect(redactor([])('any text')).toBe('any text');
  });

  it('leaves nothing of any value, in any form, wherever it stands', () => {
    // Half of it plain; fast-check's own binary unit takes seconds to make.
    const char = (most: number) => fc.nat(most).map((code) => String.fromCharCode(code));
    const unit = fc.oneof(char(0x7f), char(0xd7ff));
    // The words of the marker itself are no secrets.
    const secret = fc
      .string({ unit, minLength: MIN_LENGTH, maxLength: 60 })
      .filter(
        (value) => !['[secret one]', '[secret two]', '[secret one][secret two]'].some((one) => one.includes(value)),
      );
    fc.assert(
      fc.property(secret, secret, fc.array(fc.string(), { maxLength: 4 }), fc.nat(), (one, two, around, pick) => {
        const all = [one, two];
        const redact = redactor([
          { name: 'one', value: Buffer.from(one) },
          { name: 'two', value: Buffer.from(two) },
        ]);
        const needles = all.flatMap((value) => [...forms(Buffer.from(value))]);
        const chosen = needles[pick % needles.length] ?? '';
        const out = redact([...around, chosen, ...around].join(''));
        // What is left between the markers holds no form of any value.
        const parts = out.split(/\[secret (?:one|two)\]/);
        return parts.length > 1 && !needles.some((needle) => parts.some((part) => part.includes(needle)));
      }),
      { numRuns: 200 },
    );
  });

  it('changes nothing where no value is', () => {
    const digits = fc.stringMatching(/^[0-9 ]{0,80}$/);
    fc.assert(
      fc.property(fc.stringMatching(/^[a-z]{8,20}$/), digits, (value, text) => {
        expect(of(value)(text)).toBe(text);
      }),
      { numRuns: 100 },
    );
  });

  it('finds each line of a long key quickly', () => {
    const lines = Array.from({ length: 1_000 }, (_, index) => `line ${index} ${'x'.repeat(50)}`);
    const redact = of(lines.join('\n'));
    const began = performance.now();
    expect(redact(`${'y'.repeat(8_000)}${lines[999]}${'y'.repeat(8_000)}`)).toContain(`[secret ${NAME}]`);
    expect(performance.now() - began).toBeLessThan(200);
    expect(MIN_LINE).toBe(8);
  });
});
