import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import { systemClock } from '../src/system-clock.ts';

const hour = 3_600_000;
const day = 24 * hour;

test('a timer of 90 days, longer than setTimeout can, runs after 90 days and can be cancelled on the way', () => {
  mock.timers.enable({ apis: ['setTimeout'] });
  try {
    let runs = 0;
    systemClock.setTimer(() => runs++, 90 * day);
    const cancelled = systemClock.setTimer(() => assert.fail('it was cancelled'), 90 * day);
    for (let hours = 0; hours < 89 * 24; hours++) mock.timers.tick(hour);
    cancelled.cancel();
    assert.equal(runs, 0);
    // Each part of it begins with the tick in which the one before ended.
    for (let hours = 0; hours < 28; hours++) mock.timers.tick(hour);
    assert.equal(runs, 1);
    mock.timers.tick(90 * day);
    assert.equal(runs, 1);
  } finally {
    mock.timers.reset();
  }
});

test('what is left of a time, a little below nothing, is no warning on the terminal', async () => {
  const warnings: Error[] = [];
  const note = (warning: Error): void => void warnings.push(warning);
  process.on('warning', note);
  await new Promise<void>((resolve) => systemClock.setTimer(resolve, -0.001));
  await new Promise((resolve) => setImmediate(resolve));
  process.off('warning', note);
  assert.deepEqual(warnings, []);
});
