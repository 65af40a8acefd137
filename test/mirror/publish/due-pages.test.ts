import assert from 'node:assert/strict';
import { test } from 'node:test';
import { limits } from '../../../src/core/limits.ts';
import { parseProjectName } from '../../../src/core/project-name.ts';
import { DuePages } from '../../../src/mirror/publish/due-pages.ts';
import { createFakeClock } from '../../support/fake-clock.ts';

const { retryFirst } = limits.publish;
const flask = parseProjectName('flask');

test('that nearly every page waits to be read again ends nothing, and says when the first is due', async () => {
  const clock = createFakeClock();
  const due = new DuePages(clock);
  for (let i = 0; i < 250_000; i++) {
    due.add(parseProjectName(`p${i}`), 'first');
    const taken = due.take();
    assert.ok(taken);
    due.retry(taken, { stale: true });
  }
  assert.equal(due.nextAt(), clock.monotonic() + retryFirst);
  assert.equal(due.take(), undefined);
  await clock.advance(retryFirst);
  assert.equal(due.nextAt(), clock.monotonic());
  assert.equal(due.take()?.attempts, 1);
});

test('the next one is due when the earliest of those that wait is, also when that one has gone', async () => {
  const clock = createFakeClock();
  const due = new DuePages(clock);
  for (const [name, pause] of [
    ['flask', undefined],
    ['click', 10 * retryFirst],
  ] as const) {
    due.add(parseProjectName(name), 'first');
    const taken = due.take();
    assert.ok(taken);
    due.retry(taken, { stale: false, pause });
  }
  const begun = clock.monotonic();
  due.add(flask, 'hint');
  assert.equal(due.take()?.project, flask);
  due.done(flask);
  await clock.advance(retryFirst);
  assert.equal(due.nextAt(), begun + 10 * retryFirst);
  await clock.advance(9 * retryFirst);
  assert.equal(due.take()?.project, 'click');
});
