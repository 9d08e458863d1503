/** Makes what Compose says of a file fit to be shown to whoever wrote the file. */

/** What Compose's errors are made of. */
const WORDS =
  'a additional an allowed and any array as attempt be boolean can t container container_name build but cannot character circular compose config containerport ' +
  'context could cycle declare decode depends did directory duplicate each either empty env error escape expected extend ' +
  'extends failed field file find for format found from greater has hash have ignoring in includes incompatible image images indicator ' +
  'input int integer interpolating interpolation into invalid ip ipaddress is it items its key least length line list ' +
  'mapping match may missing more must name need neither network no nor not null number object of on one only open option ' +
  'or pattern port prefix profile project property protocol range reading recursive refers required resolved root secret ' +
  'section service services set should specified specify start stat string such template than that the to top level ' +
  'undefined unexpected unique unknown unmarshal unmarshalling unsupported validating value values variable version volume ' +
  'volumes when while with without yaml yml you';

/**
 * Compose's words can hold a line of a file that it should not have opened: a word is passed on only where it is one of the
 * repository's own or of those that its errors are made of.
 */
export function onlyKnownWords(said: string, own: string): string {
  const word = /[\p{L}\p{N}_]+/gu;
  const known = new Set(`${WORDS} ${own}`.toLowerCase().match(word));
  return said
    .replaceAll(word, (one) => (known.has(one.toLowerCase()) || /^\d{1,4}$/.test(one) ? one : '…'))
    .replaceAll(/…(?:[^\s…]*…)+/g, '…');
}
