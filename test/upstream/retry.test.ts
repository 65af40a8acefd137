/** Passing failures are tried again a little; an upstream that asks for a rest gets it, but not for ever. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { limits } from '../../src/core/limits.ts';
import { parseProjectName } from '../../src/core/project-name.ts';
import { parseRetryAfter } from '../../src/upstream/retry-after.ts';
import { makeWheel } from '../support/fake-pypi/wheel.ts';
import {
  createWatchedClock,
  goodFile,
  goodPage,
  startPypi,
  thing,
  until,
  upstreamError,
  wheel,
} from './pypi-context.ts';

const other = parseProjectName('other');
const files = [wheel, makeWheel({ name: 'other' })];

test('a failing page is asked for three times, with growing pauses, and no more', async () => {
  const clock = createWatchedClock();
  const randomness = { bytes: () => new Uint8Array(), float: () => 0.5 };
  await using context = await startPypi({ clock, upstream: { randomness, limits: { retryDelay: 250 } } });
  const { pypi, upstream } = context;
  pypi.fault('thing', 'page-503');
  const failing = upstreamError(upstream.page(thing), /answered 503/);
  await until(() => clock.waits.includes(250));
  await clock.advance(249);
  assert.equal(pypi.requests.length, 1);
  await clock.advance(1);
  await until(() => clock.waits.includes(500));
  await clock.advance(499);
  assert.equal(pypi.requests.length, 2);
  await clock.advance(1);
  await failing;
  assert.equal(pypi.requests.length, 3);
});

test('500 and refused connections are not tried again', async () => {
  await using context = await startPypi();
  const { pypi, upstream } = context;
  pypi.fault('thing', 'page-500');
  await upstreamError(upstream.page(thing));
  assert.equal(pypi.requests.length, 1);
  await pypi.down();
  await upstreamError(upstream.page(thing), /ECONNREFUSED/);
  assert.equal(upstream.status().requests, 2);
});

test('a kept-alive connection that the server closed costs nothing but another try', async () => {
  await using context = await startPypi();
  const { pypi, upstream } = context;
  await goodPage(upstream);
  await pypi.index.down();
  await pypi.index.up();
  await goodPage(upstream);
});

test('a file is tried again before its first byte, not after', async () => {
  await using context = await startPypi();
  const { pypi, upstream, url } = context;
  pypi.fault('thing', 'reset-file-once=0');
  await goodFile(upstream.file(url));
  assert.equal(pypi.requests.length, 2);
  pypi.fault('thing', 'cut-file-once=1000');
  await upstreamError(goodFile(upstream.file(url)), /broke off/);
  assert.equal(pypi.requests.length, 3);
});

test('a call waits for the end of a short rest, and others of the same path with it', async () => {
  const clock = createWatchedClock();
  await using context = await startPypi({ clock, files });
  const { pypi, upstream } = context;
  pypi.fault('thing', 'page-503-once=2');
  const first = goodPage(upstream);
  await until(() => clock.waits.includes(2000));
  const second = goodPage(upstream);
  await goodPage(upstream, other);
  await clock.advance(1999);
  assert.equal(pypi.requestsFor('/simple/thing/').length, 1);
  await clock.advance(1);
  await Promise.all([first, second]);
  assert.equal(pypi.requestsFor('/simple/thing/').length, 3);
});

test('after 429 the whole host rests', async () => {
  const clock = createWatchedClock();
  await using context = await startPypi({ clock, files });
  const { pypi, upstream } = context;
  pypi.fault('thing', 'page-429-once=3');
  const first = goodPage(upstream);
  await until(() => clock.waits.includes(3000));
  const second = goodPage(upstream, other);
  await clock.advance(2999);
  assert.equal(pypi.requests.length, 1);
  await clock.advance(1);
  await Promise.all([first, second]);
});

test('a long rest is told at once, kept without a request, and never longer than a minute', async () => {
  const clock = createWatchedClock();
  await using context = await startPypi({ clock });
  const { pypi, upstream } = context;
  pypi.fault('thing', 'page-503-once=86400');
  const told = await upstreamError(upstream.page(thing), /answered 503/);
  assert.equal(told.retryAfter, 86_400_000);
  await clock.advance(30_000);
  const kept = await upstreamError(upstream.page(thing), /asked to be left alone for another 30 s/);
  assert.deepEqual([kept.status, kept.retryAfter], [503, 30_000]);
  assert.equal(pypi.requests.length, 1);
  await clock.advance(limits.upstream.retryAfterMax - 30_000);
  await goodPage(upstream);
});

test('a caller that leaves in a rest ends its wait', async () => {
  const clock = createWatchedClock();
  await using context = await startPypi({ clock });
  const { pypi, upstream } = context;
  pypi.fault('thing', 'page-503-once=5');
  const leaving = new AbortController();
  const call = upstream.page(thing, { signal: leaving.signal });
  await until(() => clock.waits.includes(5000));
  leaving.abort(new Error('gone'));
  await assert.rejects(call, /^Error: gone$/);
});

test('Retry-After is read as seconds or as a date, and anything else is none', () => {
  const now = Date.UTC(2026, 10, 22, 12);
  fc.assert(
    fc.property(fc.nat(999_999_999), (seconds) => {
      assert.equal(parseRetryAfter(String(seconds), now), seconds * 1000);
      const date = new Date(now + (seconds % 1e6) * 1000).toUTCString();
      assert.equal(parseRetryAfter(date, now), (seconds % 1e6) * 1000);
    }),
  );
  fc.assert(
    fc.property(fc.string(), (text) => {
      const ms = parseRetryAfter(text, now);
      assert.ok(ms === undefined || (Number.isFinite(ms) && ms >= 0));
    }),
  );
  assert.equal(parseRetryAfter('Fri, 01 Jan 2021 00:00:00 GMT', now), 0);
  for (const bad of ['-5', '1.5', '', 'soon', '99999999999'])
    assert.equal(parseRetryAfter(bad, now), undefined, bad);
});
