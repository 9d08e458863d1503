/** HTML by tagged templates: every value is escaped unless it is markup itself. */

const MARKUP = Symbol('markup');

export interface Markup {
  readonly [MARKUP]: string;
}

type Value = string | number | Markup | readonly Markup[] | undefined | false;

export function html(strings: TemplateStringsArray, ...values: readonly Value[]): Markup {
  let text = strings[0] ?? '';
  for (const [index, value] of values.entries()) text += render(value) + (strings[index + 1] ?? '');
  return { [MARKUP]: text };
}

/** Markup that this project itself wrote, such as a style sheet. */
export function trusted(text: string): Markup {
  return { [MARKUP]: text };
}

export function toText(markup: Markup): string {
  return markup[MARKUP];
}

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

function render(value: Value): string {
  if (value === undefined || value === false) return '';
  if (typeof value === 'string' || typeof value === 'number') {
    return String(value).replaceAll(/[&<>"']/g, (char) => ESCAPES[char] ?? char);
  }
  if (Array.isArray(value)) return value.map((one: Markup) => one[MARKUP]).join('');
  return (value as Markup)[MARKUP];
}
