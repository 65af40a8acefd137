/** Waits for what other processes do and nothing here hears of. */
import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';

/** Looks every 25 ms until `look` gives something true; fails after `limit` ms with what was awaited. */
export async function eventually<T>(
  what: string,
  look: () => T | Promise<T>,
  limit = 15_000,
): Promise<Exclude<T, false | undefined | null | 0>> {
  const end = performance.now() + limit;
  for (;;) {
    const found = await look();
    if (found) return found as Exclude<T, false | undefined | null | 0>;
    assert.ok(performance.now() < end, `not within ${limit} ms: ${what}`);
    await delay(25);
  }
}
