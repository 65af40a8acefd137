import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { Script } from 'node:vm';
import { loadDashboard } from '../../src/dashboard/dashboard-page.ts';
import type { FactName } from '../../src/core/facts.ts';

const { body, contentSecurityPolicy } = loadDashboard();
const page = Buffer.from(body).toString();
const only = (element: string): string => {
  const [found, ...more] = [...page.matchAll(new RegExp(`<${element}\\b[^>]*>([^]*?)</${element}>`, 'g'))];
  assert.ok(found?.[1] !== undefined && more.length === 0, `one <${element}>`);
  return found[1];
};

test("the policy lets the page's own script and style run and nothing else", () => {
  for (const element of ['script', 'style']) {
    const hash = createHash('sha256').update(only(element)).digest('base64');
    assert.match(
      contentSecurityPolicy,
      new RegExp(`${element}-src 'sha256-${hash.replace(/[+/]/g, '\\$&')}'(;|$)`),
    );
  }
  assert.match(contentSecurityPolicy, /^default-src 'none';/);
  assert.match(contentSecurityPolicy, /frame-ancestors 'none'/);
  assert.doesNotMatch(contentSecurityPolicy, /unsafe|\*/);
});

test('the page needs nothing from elsewhere and has no handlers in its markup', () => {
  assert.doesNotMatch(page, /(?:src|href)="(?:https?:)?\/\//);
  assert.doesNotMatch(page, /url\(|@import/);
  assert.doesNotMatch(page, /<[^>]+\son\w+=/);
  // Relative, so that it works behind a proxy's prefix.
  assert.doesNotMatch(page, /['"]\/-\//);
});

test('what strangers send is put into the page as text', () => {
  assert.doesNotMatch(
    only('script'),
    /innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function/,
  );
});

test('the script is one that parses, and every element it names is there', () => {
  const script = only('script');
  assert.doesNotThrow(() => new Script(script));
  for (const [, id] of script.matchAll(/\b(?:at|say)\('([\w-]+)'/g))
    assert.ok(page.includes(`id="${id}"`), id);
});

test('the facts that it tells of are facts', () => {
  // The compiler checks that these are facts, the test that the page tells of no others.
  const known: readonly FactName[] = [
    'blob:added',
    'blob:evicted',
    'blob:corrupt',
    'integrity:mismatch',
    'page:refreshed',
    'page:stale-served',
    'upstream:changed',
    'peer:connected',
    'peer:disconnected',
    'peer:banned',
    'storage:full',
    'storage:repaired',
    'network:noted',
  ];
  const told = [...only('script').matchAll(/^\s+'([a-z]+:[a-z-]+)':/gm)].map(([, name]) => name ?? '');
  assert.ok(told.length >= 10);
  for (const name of told) assert.ok((known as readonly string[]).includes(name), name);
});

test('the page says its language, has a title, and labels its regions and buttons', () => {
  assert.match(page, /<html lang="en">/);
  assert.match(page, /<title>Fondue<\/title>/);
  for (const [tag] of page.matchAll(/<(?:section|meter|svg)\b[^>]*>/g))
    assert.match(tag, /aria-labelledby="/);
  for (const [tag] of page.matchAll(/<button\b[^>]*>/g)) assert.match(tag, /aria-label="/);
  assert.match(page, /prefers-reduced-motion/);
});
