/** What JSX becomes: markup, in which everything that is no markup itself is text. @kitajs/html writes tags and attributes. */
/// <reference types="@kitajs/html/htmx.d.ts" />
import { createElement, escapeHtml } from '@kitajs/html';
import { plain } from '../domain/plain.ts';

/** @kitajs/html takes any string for markup unless told `safe`, and a forgotten word would be a hole: here only this class is. */
class Markup {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
  toString(): string {
    return this.text;
  }
}

type Properties = Readonly<Record<string, unknown>>;
type Component = (properties: never) => JSX.Element;

/** The JSX factory. */
export function h(tag: string | Component, given: Properties | null, ...children: readonly unknown[]): JSX.Element {
  if (typeof tag === 'function') return tag({ ...given, children } as never);
  const attributes: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(given ?? {})) {
    // Kita escapes quotes alone here, and a reader would take `&lt;` for `<`.
    attributes[name] = typeof value === 'string' ? attributeOf(value) : value;
  }
  const content = children.length === 0 ? [] : [contentOf(children)];
  return markup(String(createElement(tag, attributes, ...content)));
}

/** The JSX factory of `<>…</>`. */
export function Fragment({ children }: { readonly children?: unknown }): JSX.Element {
  return markup(contentOf(children));
}

/** As it is sent. */
export function toText(element: JSX.Element): string {
  return String(element);
}

/** A whole document. */
export function toPage(element: JSX.Element): string {
  return `<!doctype html>${toText(element)}`;
}

function markup(text: string): JSX.Element {
  return new Markup(text) as unknown as JSX.Element;
}

function contentOf(child: unknown): string {
  if (child instanceof Markup) return child.text;
  if (Array.isArray(child)) {
    let text = '';
    for (const one of child) text += contentOf(one);
    return text;
  }
  if (child === undefined || child === null || typeof child === 'boolean') return '';
  return escapeHtml(clean(String(child)));
}

function attributeOf(value: string): string {
  const text = clean(value);
  return /[&<]/.test(text) ? text.replaceAll('&', '&amp;').replaceAll('<', '&lt;') : text;
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for.
const UNCLEAN = /[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/;

/** Nearly all is clean, and looking is far quicker than cleaning. */
function clean(text: string): string {
  return UNCLEAN.test(text) ? plain(text) : text;
}
