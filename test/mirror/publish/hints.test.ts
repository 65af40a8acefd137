/** Hints of other publishers: a page is read sooner for them, and nothing they say is ever believed. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Digest } from '../../../src/core/digest.ts';
import { limits } from '../../../src/core/limits.ts';
import { parseProjectName, type ProjectName } from '../../../src/core/project-name.ts';
import { createWorld, MINUTE, type World } from './publisher-world.ts';

const flask = parseProjectName('flask');
const other = 'f'.repeat(64) as Digest;

async function imported(count = 3): Promise<World> {
  const world = await createWorld();
  world.index.change('flask');
  for (let i = 1; i < count; i++) world.index.change(`p${i}`);
  await world.start();
  await world.run(12_000);
  world.index.asked.length = 0;
  return world;
}

const hint = (
  world: World,
  name: ProjectName = flask,
  serial = 9999,
  publisher = 'publisher.test/two',
): Promise<void> => world.publisher.hint({ publisher, name, serial, digest: other });

describe('a hint', () => {
  it('has that page read and signed within 2 s', async () => {
    await using world = await imported();
    world.index.change('flask');
    const size = world.log.size;
    await hint(world);
    await world.run(2000);
    assert.equal(world.log.size, size + 1);
    assert.match((await world.page(flask))?.files[0]?.filename ?? '', /^flask-2/);
    assert.deepEqual(
      world.index.asked.map(({ what }) => what),
      ['page'],
    );
  });

  it('that is not true changes nothing: no entry, no stale name, no record', async () => {
    await using world = await imported();
    const before = await world.entry(flask);
    const size = world.log.size;
    await hint(world);
    await world.run(6000);
    assert.deepEqual(await world.entry(flask), before);
    assert.equal(world.log.size, size);
    await world.run(2 * MINUTE);
    assert.equal(world.record.stale, null);
  });

  it('of what is known already, or of a name that is not published, costs no request', async () => {
    await using world = await imported();
    const entry = await world.entry(flask);
    assert.ok(entry);
    await world.publisher.hint({ publisher: 'x', name: flask, serial: entry.serial, digest: entry.digest });
    await hint(world, flask, entry.serial - 1);
    await world.run(3000);
    assert.equal(world.index.count(), 0);
  });

  it('is heard at most 60 times a minute from one publisher, whatever others say', async () => {
    await using world = await imported(200);
    for (let i = 1; i < 150; i++) await hint(world, parseProjectName(`p${i}`));
    await world.run(15_000);
    assert.equal(world.index.count('page'), limits.publish.hintsPerMinute);
    await hint(world, flask, 9999, 'publisher.test/three');
    await world.run(2000);
    assert.equal(world.index.count('page'), limits.publish.hintsPerMinute + 1);
  });

  it('brings records no closer together than 5 s', async () => {
    await using world = await imported();
    for (let i = 0; i < 30; i++) {
      world.index.change('flask');
      await hint(world);
      await world.run(1000);
    }
    const times: number[] = [];
    for (let seq = 0; seq < world.log.size; seq++) {
      const bytes = await world.log.record(seq);
      times.push((JSON.parse(Buffer.from(bytes as Uint8Array).toString()) as { signedAt: number }).signedAt);
    }
    assert.ok(times.length >= 5);
    for (let i = 1; i < times.length; i++) assert.ok(times[i]! - times[i - 1]! >= 5000);
  });

  it('is faster than the first import', async () => {
    await using world = await createWorld();
    for (let i = 0; i < 600; i++) world.index.change(`p${i}`);
    await world.start();
    await world.run(3000);
    world.index.asked.length = 0;
    await hint(world, parseProjectName('p599'));
    await world.run(2000);
    assert.ok(world.index.asked.some(({ project }) => project === 'p599'));
    assert.equal(world.log.size, 1, 'and is signed before the import is done');
    assert.notEqual(await world.entry(parseProjectName('p599')), undefined);
  });
});
