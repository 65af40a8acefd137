import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createUploadGate } from '../../src/network/libp2p/blob-upload-gate.ts';
import { createFakeClock } from '../support/fake-clock.ts';

const RATE = 1_000_000;
const SECONDS = 20;

/** What each of `turns` (bytes that it sends whenever it may) got out in 20 s; each always has more. */
async function share(turns: readonly number[]): Promise<number[]> {
  const clock = createFakeClock();
  using gate = createUploadGate(clock, RATE);
  const got = turns.map(() => 0);
  for (const [i, turn] of turns.entries()) {
    const send = (): void => {
      while (gate.open(send)) {
        gate.spent(turn);
        got[i]! += turn;
      }
    };
    send();
  }
  for (let ms = 0; ms < SECONDS * 1000; ms++) await clock.advance(1);
  return got;
}

describe('the upload limit', () => {
  it('is shared by all connections that have something to send, none starves', async () => {
    // Of two, and of each even number, half were woken for nothing and put behind those that had just sent.
    for (const [turn, count] of [
      [65_536, 2],
      [65_536, 3],
      [65_536, 8],
      [1_000_000, 2],
    ] as const) {
      const got = await share(Array.from({ length: count }, () => turn));
      const what = `${count} with turns of ${turn}: ${got.join(', ')}`;
      for (const bytes of got) assert.ok(bytes >= (0.8 * RATE * SECONDS) / count - turn, what);
      const all = got.reduce((sum, bytes) => sum + bytes, 0);
      assert.ok(all <= RATE * (SECONDS + 1) + count * turn, what);
    }
  });

  it('lets one alone have all of it', async () => {
    const [got = 0] = await share([65_536]);
    assert.ok(got >= 0.95 * RATE * SECONDS, `${got} bytes`);
  });
});
