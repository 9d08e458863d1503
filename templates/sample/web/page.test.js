import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { page } from './page.js';

test('the page says the greeting of this branch', () => {
  const greeting = readFileSync(new URL('greeting.txt', import.meta.url), 'utf8').trim();
  assert.notEqual(greeting, '', 'web/greeting.txt is empty');
  assert.match(page({ greeting: 'Hello', host: 'a.example', visits: 1 }), /<h1>Hello<\/h1>/);
});

test('the page counts in words that fit', () => {
  const words = (visits) => page({ greeting: '', host: '', visits });
  assert.match(words(1), /first visit/);
  assert.match(words(1200), /1,200/);
  assert.match(words(undefined), /counter is away/);
});

test('nothing that comes in is taken for markup', () => {
  assert.doesNotMatch(page({ greeting: '<script>', host: '"<i>', visits: 1 }), /<script>|<i>/);
});
