import assert from 'node:assert/strict';
import { test } from 'node:test';
import { binNumber } from '../../../src/core/index-map/index-entry.ts';
import { limits } from '../../../src/core/limits.ts';
import { parseProjectName } from '../../../src/core/project-name.ts';
import { PastBundles } from '../../../src/mirror/follow/past-bundles.ts';
import { createMemoryIndexMaps } from '../../../src/store/index-map/memory-index-maps.ts';

async function* all(names: readonly string[]): AsyncGenerator<readonly string[]> {
  yield names;
}

test('past bundles take no more memory than they may, and one voter’s large ones push out none of another’s', async () => {
  await using maps = createMemoryIndexMaps();
  const map = maps.view('one');
  const past = new PastBundles(() => true);
  const capture = (slot: string, names: readonly string[], bytes: number): Promise<void> =>
    past.capture(slot, all(names), Buffer.alloc(bytes), (bin) => map.proveBin(bin));
  await capture('honest', ['foo'], 1000);
  const told: string[] = [];
  for (let round = 0; round < 8; round++) {
    const names = Array.from({ length: 64 }, (_, i) => `p${round}-${i}`);
    await capture('liar', names, limits.log.announcementBytes);
    told.push(...names);
  }
  const weight = (name: string): number =>
    past
      .of(binNumber(parseProjectName(name)))
      .reduce((sum, { announcement, proof }) => sum + announcement.length + proof.length, 0);
  const bins = [...new Map(told.map((name) => [binNumber(parseProjectName(name)), name])).values()];
  const kept = bins.reduce((sum, name) => sum + weight(name), weight('foo'));
  assert.ok(kept <= limits.follow.bundlesKeptBytes, `${kept} bytes`);
  assert.ok(kept > limits.follow.bundlesKeptBytes - 2 * limits.log.announcementBytes, 'no fewer than it may');
  assert.ok(
    past.of(binNumber(parseProjectName('foo'))).some(({ announcement }) => announcement.length === 1000),
  );
  assert.equal(weight('p0-0'), 0, 'the oldest of the liar went');
});
