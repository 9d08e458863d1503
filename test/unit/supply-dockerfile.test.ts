// biome-ignore-all lint/suspicious/noTemplateCurlyInString: a Dockerfile's variables look so
/** Which images a Dockerfile draws in: every way to name one, and every way to hide one. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type BuildInput, drawnImages } from '../../src/supply/drawn.ts';

const INPUT: BuildInput = { file: 'Dockerfile', args: {}, contexts: [] };

/** `line how reference`, with `!` where it cannot be told and `-` where the build does not come to it. */
function draws(text: string, input: Partial<BuildInput> = {}): string[] {
  return drawnImages(text, { ...INPUT, ...input }).images.map((one) => {
    const line = one.where.replace('Dockerfile:', '');
    return `${one.needed ? '' : '-'}${line} ${one.how} ${one.reference ?? '!'}`;
  });
}

const SNIPPETS: readonly [title: string, text: string, expected: string[], input?: Partial<BuildInput>][] = [
  ['plain', 'FROM redis', ['1 FROM redis']],
  ['in lower case, indented', '  from\tredis:7', ['1 FROM redis:7']],
  ['after comments and blank lines', '\n# hello\n\nFROM a', ['4 FROM a']],
  ['by digest', `FROM a@sha256:${'0'.repeat(64)}`, [`1 FROM a@sha256:${'0'.repeat(64)}`]],
  ['with a platform', 'FROM --platform=$BUILDPLATFORM a AS b', ['1 FROM a']],
  ['with a quoted flag', 'FROM "--platform=linux/arm64" a', ['1 FROM --platform=linux/arm64']],
  ['with CRLF', 'FROM a\r\nRUN true\r\n', ['1 FROM a']],
  ['with a byte order mark', '\ufeffFROM a', ['1 FROM a']],
  ['scratch', 'FROM scratch\nCOPY . /', []],
  ['a stage of an earlier one', 'FROM a AS base\nFROM base', ['1 FROM a']],
  ['a stage in another case', 'FROM a AS Base\nFROM bASE', ['1 FROM a']],
  ['a stage named as its own base', 'FROM a AS a\nFROM a', ['1 FROM a']],
  ['a later stage is no stage yet', 'FROM late\nFROM a AS late', ['-1 FROM late', '2 FROM a']],
  ['a stage that the build does not come to', 'FROM a AS x\nFROM b', ['-1 FROM a', '2 FROM b']],
  ['the target', 'FROM a AS x\nFROM b', ['1 FROM a', '-2 FROM b'], { target: 'X' }],
  ['a target that is not there', 'FROM a AS x\nFROM b', ['1 FROM a', '2 FROM b'], { target: 'y' }],
  ['COPY from a stage', 'FROM a AS x\nFROM b\nCOPY --from=x /f /', ['1 FROM a', '2 FROM b']],
  ['COPY from a number', 'FROM a\nFROM b\nCOPY --from=0 /f /', ['1 FROM a', '2 FROM b']],
  ['COPY from an image', 'FROM a\nCOPY --chown=1 --from=n:1 /f /', ['1 FROM a', '2 COPY --from n:1']],
  ['COPY with a quoted flag', 'FROM a\nCOPY --from="n:1" /f /', ['1 FROM a', '2 COPY --from n:1']],
  ['COPY with an escaped flag', 'FROM a\nCOPY --fr\\om=n /f /', ['1 FROM a', '2 COPY --from n']],
  ['COPY with quotes within the flag', "FROM a\nCOPY --f'ro'm=n /f /", ['1 FROM a', '2 COPY --from n']],
  ['COPY as a list', 'FROM a\nCOPY --from=n ["/f", "/"]', ['1 FROM a', '2 COPY --from n']],
  ['COPY with a variable', 'ARG X=n\nFROM a\nCOPY --from=$X /f /', ['2 FROM a', '3 COPY --from !']],
  // BuildKit looks at flags byte by byte, where the second byte of `à` is a space.
  ['COPY with a space in a letter', 'FROM a\nCOPY --chown=à--from=n /f /', ['1 FROM a', '2 COPY --from n']],
  ['a mount', 'FROM a\nRUN --mount=from=n,target=/m true', ['1 FROM a', '2 RUN --mount from n']],
  ['a mount in capitals', 'FROM a\nRUN --mount=TYPE=bind,FROM=n true', ['1 FROM a', '2 RUN --mount from n']],
  ['a mount as CSV', 'FROM a\nRUN --mount=type=bind,"from=n" true', ['1 FROM a', '2 RUN --mount from n']],
  [
    'two mounts',
    'FROM a\nRUN --mount=from=n --mount=from=o true',
    ['1 FROM a', '2 RUN --mount from n', '2 RUN --mount from o'],
  ],
  [
    'a mount twice',
    'FROM a\nRUN --mount=from=n,from=o true',
    ['1 FROM a', '2 RUN --mount from n', '2 RUN --mount from o'],
  ],
  ['a mount from a number is an image', 'FROM a\nRUN --mount=from=0 true', ['1 FROM a', '2 RUN --mount from 0']],
  ['a cache mount', 'FROM a\nRUN --mount=type=cache,target=/c true', ['1 FROM a']],
  ['flags after the command are none', 'FROM a\nRUN x --mount=from=n', ['1 FROM a']],
  ['flags after --', 'FROM a\nRUN -- --mount=from=n', ['1 FROM a']],
  ['a continued line', 'FR\\\nOM \\\n  a', ['1 FROM a']],
  ['a continued line with a comment within', 'FROM \\\n# no\n\n  a', ['1 FROM a']],
  ['a continued line that ends in blanks', 'FROM a\nRUN x \\  \nFROM n', ['1 FROM a']],
  ['two backslashes do not continue', 'FROM a\nRUN x \\\\\nFROM n', ['-1 FROM a', '3 FROM n']],
  ['another escape character', '# escape=`\nFROM a\nRUN x `\n --mount=from=n', ['2 FROM a']],
  ['an escape that hides', '# escape=`\nFROM a\nRUN dir \\\nCOPY --from=n /f /', ['2 FROM a', '4 COPY --from n']],
  [
    'an escape that some versions do not see',
    '# check=skip=all\n# escape=`\nFROM a\nRUN x \\\nCOPY --from=n /f /',
    ['3 FROM a', '5 COPY --from n'],
  ],
  ['a here-document', 'FROM a\nRUN <<EOF\nFROM n\nEOF\nCOPY --from=o /f /', ['1 FROM a', '5 COPY --from o']],
  ['two here-documents', 'FROM a\nCOPY <<A <<"B" /\nFROM n\nA\nFROM o\nB\nFROM p', ['-1 FROM a', '7 FROM p']],
  ['with tabs', 'FROM a\nRUN <<-E cat\n\tFROM n\n\tE\nFROM p', ['-1 FROM a', '5 FROM p']],
  ['quoted', "FROM a\nRUN cat <<'E F' >x\nFROM n\nE F\nFROM p", ['-1 FROM a', '5 FROM p']],
  ['in quotes it is none', 'FROM a\nRUN echo "<<E"\nFROM n\nE', ['-1 FROM a', '3 FROM n']],
  ['behind an open quote it is none', 'FROM a\nRUN echo "x <<E\nFROM n\nE', ['-1 FROM a', '3 FROM n']],
  ['with a variable that BuildKit cannot read', 'FROM a\nRUN ${ <<E\nFROM n\nE', ['-1 FROM a', '3 FROM n']],
  ['with a part of a variable', 'FROM a\nRUN ${V:0:3} <<E\nFROM n\nE', ['1 FROM a']],
  ['three signs are none', 'FROM a\nRUN cat <<<E\nFROM n', ['-1 FROM a', '3 FROM n']],
  ['after a list it is none', 'FROM a\nRUN ["true"] <<E\nFROM n\nE', ['-1 FROM a', '3 FROM n']],
  ['ENV has none', 'FROM a\nENV X=<<E\nFROM n\nE', ['-1 FROM a', '3 FROM n']],
  ['one that does not end hides nothing', 'FROM a\nRUN <<E\nFROM n', ['-1 FROM a', '3 FROM n']],
  ['one with a byte order mark', 'FROM a\nRUN <<\ufeffE\nE\nFROM n\n\ufeffE', ['-1 FROM a', '4 FROM n']],
  ['a comment is not continued', 'FROM a\n# x \\\nFROM n', ['-1 FROM a', '3 FROM n']],
  ['ONBUILD', 'FROM a\nONBUILD COPY --from=n /f /', ['1 FROM a', '-2 COPY --from n']],
  ['ONBUILD in a mount, continued', 'FROM a\nonbuild \\\nrun --mount=from=n x', ['1 FROM a', '-2 RUN --mount from n']],
  ['ONBUILD with a here-document', 'FROM a\nONBUILD RUN <<E\nFROM n\nE\nFROM o', ['-1 FROM a', '5 FROM o']],
  ['an argument', 'ARG V=7\nFROM redis:$V', ['2 FROM redis:7']],
  ['an argument of the build', 'ARG V=7\nFROM redis:${V}', ['2 FROM redis:8'], { args: { V: '8' } }],
  ['an argument that is not declared', 'FROM redis:$V', ['1 FROM redis:'], { args: { V: '8' } }],
  ['an argument in an argument', 'ARG A=re B=dis\nARG C=${A}${B}\nFROM $C', ['3 FROM redis']],
  ['a quoted argument', 'ARG A="redis:7"\nFROM $A', ['2 FROM redis:7']],
  ['with a default', 'ARG A\nFROM ${A:-redis}', ['2 FROM redis']],
  ['with an alternative', 'ARG A=1\nFROM ${A:+redis}', ['2 FROM redis']],
  ['nested defaults', 'FROM ${A:-${B:-redis}}', ['1 FROM redis']],
  ['with a pattern', 'ARG A=v7\nFROM redis:${A#v}', ['2 FROM !']],
  ['with a pattern in the argument', 'ARG A=v7 B=${A#v}\nFROM redis:$B', ['2 FROM redis:\0']],
  ['an error', 'FROM ${A:?no}', ['1 FROM !']],
  ['an argument within a stage is not for FROM', 'FROM a\nARG V=1\nFROM b:$V', ['-1 FROM a', '3 FROM b:']],
  ['the target platform', 'FROM a-$TARGETOS', ['1 FROM a-linux']],
  ['quotes', 'FROM "re"d\'is\'', ['1 FROM redis']],
  ['escaped', 'FROM re\\dis', ['1 FROM redis']],
  ['a folder in its place', 'FROM alpine:latest\nCOPY --from=files /f /', [], { contexts: ['alpine', 'files'] }],
  ['a folder in a stage’s place', 'FROM a AS base\nRUN x', ['-1 FROM a'], { contexts: ['base'] }],
  ['syntax', '# syntax=docker/dockerfile:1\nFROM a', ['-1 # syntax docker/dockerfile:1', '2 FROM a']],
  ['syntax in capitals', '#SYNTAX = x/y\nFROM a', ['-1 # syntax x/y', '2 FROM a']],
  ['syntax after a shebang', '#!/bin/x\n# syntax=x/y\nFROM a', ['-2 # syntax x/y', '3 FROM a']],
  ['syntax with slashes', '// syntax=x/y\nFROM a', ['-1 # syntax x/y', '2 FROM a']],
  ['syntax as JSON', '{"syntax": "x/y"}', ['-1 # syntax x/y']],
  ['syntax after an instruction is a comment', 'FROM a\n# syntax=x/y', ['1 FROM a']],
  ['nothing', '', []],
];

describe('images of a Dockerfile', () => {
  it.each(SNIPPETS)('%s', (_title, text, expected, input) => {
    expect(draws(text, input)).toEqual(expected);
  });

  it('names the variables that have no value', () => {
    const { images } = drawnImages('ARG A\nFROM redis:${A}${B:-7}$C', INPUT);
    expect(images[0]?.unset).toEqual(['A', 'C']);
  });

  it.each([
    ['RUN --security=insecure x', 'build-rights'],
    ['RUN --network=host x', 'build-rights'],
    ['RUN --network="host" x', 'build-rights'],
    ['RUN --device=/dev/kvm x', 'build-rights'],
    ['ONBUILD RUN --network=host x', 'build-rights'],
    ['ADD http://127.0.0.1:4000/api /x', 'build-network'],
    ['ADD ["http://localhost/", "/x"]', 'build-network'],
    ['ADD http://169.254.169.254/latest /x', 'build-network'],
    ['ADD --checksum=sha256:0 https://user:x@[::1]/ /x', 'build-network'],
    ['ADD http://2130706433/ /x', 'build-network'],
    ['ADD http://redis:6379/ /x', 'build-network'],
    ['ADD https://example.com/x.tgz /x', 'build-network'],
    ['ADD --checksum=sha256:$SUM https://example.com/x.tgz /x', 'build-network'],
    ['ADD --chmod=644 https://example.com/x?.git /x', 'build-network'],
    ['ADD https://93.184.216.34/x /x', 'build-network'],
    ['ARG U=http://10.0.0.1/\nADD $U /x', 'build-network'],
  ])('refuses %s at its line', (instruction, rule) => {
    const { faults } = drawnImages(`FROM a\n\n${instruction}\n`, INPUT);
    const line = instruction.includes('\n') ? 4 : 3;
    expect(faults.map((one) => `${one.path} ${one.rule}`)).toEqual([`Dockerfile:${line} ${rule}`]);
  });

  it.each([
    'RUN --network=none x',
    'RUN --network=default x',
    'RUN --security=sandbox x',
    'RUN curl --network=host',
    `ADD --checksum=sha256:${'a'.repeat(64)} https://example.com/x.tgz /x`,
    'ADD https://github.com/acme/shop.git#v1 /x',
    'ADD src/ /x',
    'ADD $JAR /app.jar',
  ])('has nothing against %s', (instruction) => {
    expect(drawnImages(`FROM a\n${instruction}\n`, INPUT).faults).toEqual([]);
  });
});

describe('whatever a Dockerfile holds', () => {
  const piece = fc.constantFrom(
    ...['FROM ', 'from\t', 'COPY --from=', 'RUN --mount=', 'RUN <<', '<<-', 'EOF', 'ONBUILD ', 'ARG ', 'ADD http://'],
    ...['# escape=`', '# syntax=', '\n', '\r\n', '\\\n', '`\n', '\\', '"', "'", '$', '${', '}', ':-', '#', ' AS ', ' '],
    ...['a', 'b:1', '=', ',', '[', ']', 'à', '\u0085', '\ufeff', '\0'],
  );
  const text = fc
    .array(fc.oneof({ weight: 8, arbitrary: piece }, fc.string()), { maxLength: 60 })
    .map((all) => all.join(''));

  it('it is read without an error', () => {
    fc.assert(
      fc.property(text, (one) => void drawnImages(one, INPUT)),
      { numRuns: 2_000 },
    );
  });

  it('a FROM after it is found, but for a quote, a continuation or a here-document that is open', () => {
    const plain = text.filter((one) => !/<<|[\\`]/.test(one));
    fc.assert(
      fc.property(plain, (one) => {
        const found = drawnImages(`${one}\nFROM needle/needle`, INPUT).images;
        expect(found.map((image) => image.reference)).toContain('needle/needle');
      }),
      { numRuns: 1_000 },
    );
  });

  it.each([
    ['carriage returns', `FROM a\n${'\r'.repeat(250_000)}x`],
    ['blanks', `FROM ${' '.repeat(250_000)}x`],
    ['blanks in a directive', `# escape=${' '.repeat(250_000)}x`],
    ['stages', 'FROM a AS b\n'.repeat(20_000)],
    ['copies', `FROM a\n${'COPY --from=b /f /\n'.repeat(12_000)}`],
    ['open here-documents', `FROM a\n${'RUN <<E\n'.repeat(30_000)}`],
    ['many here-documents', `FROM a\n${'RUN <<E\nE\n'.repeat(25_000)}`],
    ['here-documents of a line', `FROM a\nRUN ${'<<E '.repeat(60_000)}\n${'E\n'.repeat(5_000)}`],
    ['dollars', `FROM ${'$'.repeat(250_000)}`],
    ['braces', `FROM ${'${A:-'.repeat(50_000)}`],
    ['quotes', `RUN <<E ${`"'"'`.repeat(60_000)}`],
    ['continuations', `FROM a\nRUN ${'x \\\n'.repeat(60_000)}`],
    ['a list', `RUN [${'"a",'.repeat(60_000)}`],
    ['mounts', `RUN ${'--mount=from=x,"from=y '.repeat(10_000)}`],
    ['hosts', `ADD http://${'0'.repeat(250_000)}:`],
    ['arguments', `${'ARG A=$A$A\n'.repeat(20)}FROM $A`],
  ])('%s do not hold it up', (_what, one) => {
    const began = performance.now();
    drawnImages(one, INPUT);
    expect(performance.now() - began).toBeLessThan(2_000);
  });

  it('arguments that double are bounded', () => {
    const began = performance.now();
    const doubling = `aaaaaaaaaaaaaaaa\n${'ARG A=$A$A\n'.repeat(60)}`;
    const global = drawnImages(`ARG A=${doubling}FROM $A`, INPUT);
    const within = drawnImages(`FROM a\nARG A=${doubling}ENV B $A$A\n`, INPUT);
    expect(performance.now() - began).toBeLessThan(2_000);
    for (const { faults } of [global, within]) expect(faults.map((one) => one.rule)).toContain('build-growth');
    expect(global.images[0]?.reference).toBe('\0');
  });
});
