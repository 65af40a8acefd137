import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { createVoters, pair } from './world.ts';

const second = 1000;
const every = 5 * second;

interface Publisher {
  readonly id: string;
  /** When it reads the list, within its minute. */
  readonly phase: number;
  readonly hintDelay: number;
  observedAt: number;
  serial: number;
  signedAt: number;
  readAt: number | undefined;
}

/** How late, at worst, what is believed is behind the upstream: ms since the believed page was the newest. */
function worstLag(
  phases: readonly number[],
  hintDelays: readonly number[],
  hints: boolean,
  minutes: number,
): number {
  const voters = createVoters(2, 3);
  const publishers = voters.ids.map((id, at): Publisher => ({
    id,
    phase: phases[at]!,
    hintDelay: hintDelays[at]!,
    observedAt: 0,
    serial: 0,
    signedAt: -Infinity,
    readAt: undefined,
  }));
  let worst = 0;
  for (let now = 60 * second; now < (minutes + 2) * 60 * second; now += 100) {
    const serial = Math.floor(now / every);
    for (const publisher of publishers) {
      const turn = now % (60 * second) === publisher.phase;
      const hinted =
        publisher.readAt !== undefined && now >= publisher.readAt && now - publisher.signedAt >= every;
      if (!turn && !hinted) continue;
      // A hint says nothing about the list: `observedAt` goes on only with our own reading of it.
      if (turn) publisher.observedAt = now;
      const changed = serial > publisher.serial;
      Object.assign(publisher, { serial, signedAt: now, readAt: undefined });
      voters.says(publisher.id, publisher.observedAt, { foo: pair(serial, serial) });
      if (!hints || !changed) continue;
      for (const other of publishers) if (other.serial < serial) other.readAt ??= now + other.hintDelay;
    }
    if (now < 120 * second) continue;
    const believed = voters.foo();
    assert.ok(believed !== undefined && believed[0] !== 'absent', `nothing believed at ${now}`);
    worst = Math.max(worst, now - (believed[0].serial + 1) * every);
    assert.ok(believed[1] <= now);
  }
  return worst;
}

test('a project that changes every 5 s with three unaligned publishers is agreed at most 60 s late, by hints', () => {
  const phase = fc.integer({ min: 0, max: 599 }).map((tenth) => tenth * 100);
  const delay = fc.integer({ min: 1, max: 20 }).map((tenth) => tenth * 100);
  const three = <T>(one: fc.Arbitrary<T>): fc.Arbitrary<T[]> => fc.array(one, { minLength: 3, maxLength: 3 });
  fc.assert(
    fc.property(three(phase), three(delay), (phases, delays) => {
      assert.ok(worstLag(phases, delays, true, 5) <= 60 * second);
    }),
    { numRuns: 40 },
  );
});

test('without hints the same publishers never agree: nothing else is what agreement comes from', () => {
  assert.throws(() => worstLag([0, 20_000, 40_000], [1000, 1000, 1000], false, 5), /nothing believed/);
});
