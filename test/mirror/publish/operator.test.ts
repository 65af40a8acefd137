/** What an operator tells a publisher: retractions, a list that really lost names, and a key that takes over. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { limits } from '../../../src/core/limits.ts';
import { decodeAnnouncement, verifyAnnouncement } from '../../../src/core/log/announcement.ts';
import type { Signer } from '../../../src/core/log/signer-key.ts';
import { parseProjectName } from '../../../src/core/project-name.ts';
import { openMemoryPublisherLog } from '../../../src/store/publisher-log/open-publisher-log.ts';
import { signerOf } from '../../core/log/arbitraries.ts';
import { createWorld, MINUTE, settled, type World, type WorldOptions } from './publisher-world.ts';

const flask = parseProjectName('flask');
const DAY = 24 * 60 * MINUTE;

async function imported(options: WorldOptions = {}, count = 40): Promise<World> {
  const world = await createWorld(options);
  world.index.change('flask');
  for (let i = 1; i < count; i++) world.index.change(`p${i}`);
  await world.start();
  await world.run(8000);
  assert.deepEqual([world.record.complete, world.record.count], [true, count]);
  return world;
}

describe('a retraction', () => {
  it('is signed within seconds, stays over a restart, and ends when it is taken out', async () => {
    await using world = await imported();
    await world.run(2 * MINUTE);
    const before = world.log.size;
    const said = world.publisher.retract(flask, 'steals tokens');
    await world.run(limits.publish.recordGap);
    const { seq, retractions } = await said;
    assert.equal(seq, before);
    assert.deepEqual(world.record.retractions, retractions);
    assert.deepEqual(retractions[0] && { ...retractions[0], since: 0 }, {
      subject: 'flask',
      reason: 'steals tokens',
      since: 0,
    });
    await world.stop();
    await world.start();
    await world.run(2 * MINUTE);
    assert.equal(world.record.retractions[0]?.subject, 'flask');
    const undone = world.publisher.unretract(flask);
    await world.run(limits.publish.recordGap);
    assert.deepEqual([(await undone).retractions, world.record.retractions], [[], []]);
  });

  it('of more than followers heed is refused before it is signed: they would ignore all', async () => {
    await using world = await imported();
    for (let i = 0; i < limits.log.retractions; i++) {
      const said = world.publisher.retract(parseProjectName(`x${i}`), 'malware');
      await world.run(limits.publish.recordGap);
      await said;
    }
    await assert.rejects(world.publisher.retract(flask, 'one too many'), /followers ignore all/);
    const again = world.publisher.retract(parseProjectName('x1'), 'another reason');
    await world.run(limits.publish.recordGap);
    await again;
    assert.equal(world.record.retractions.length, limits.log.retractions);
    assert.deepEqual(
      world.record.retractions.map(({ subject }) => subject),
      world.record.retractions.map(({ subject }) => subject).sort(),
    );
  });

  it('without a reason, or of what is not retracted, is refused', async () => {
    await using world = await imported();
    await assert.rejects(world.publisher.retract(flask, ' '), /say why/);
    await assert.rejects(world.publisher.retract(flask, 'two\nlines'), /single line/);
    await assert.rejects(world.publisher.unretract(flask), /is not retracted/);
    assert.deepEqual((await world.publisher.retractions()).retractions, []);
  });
});

describe('a list that really lost more than 1 % of its names', () => {
  const gone = Array.from({ length: 20 }, (_, i) => parseProjectName(`p${i + 1}`));

  it('is believed once, when the operator says so, and each name goes by its own page', async () => {
    await using world = await imported();
    await assert.rejects(world.publisher.acceptLoss(), /no list of projects is refused/);
    for (const name of gone) world.index.remove(name);
    // One is missing from the list by mistake: its page answers.
    const kept = world.index.projects.get(flask);
    assert.ok(kept);
    kept.listed = false;
    await world.run(3 * MINUTE);
    assert.equal(world.record.count, 40, 'the index stands still');
    assert.match(
      world.seen['publisher:noted']?.[0]?.message ?? '',
      /lost 21 of 40.*fondue publish accept-loss/,
    );
    assert.deepEqual(await world.publisher.acceptLoss(), { before: 40, lost: 21 });
    await world.run(MINUTE);
    assert.equal(world.record.count, 20);
    assert.deepEqual((await world.page(flask))?.files, [], 'quarantined, not gone');
    await assert.rejects(world.publisher.acceptLoss(), /no list of projects is refused/);
    const more = Array.from({ length: 15 }, (_, i) => parseProjectName(`p${i + 21}`));
    for (const name of more) world.index.remove(name);
    await world.run(3 * MINUTE);
    assert.equal(world.record.count, 20, 'the next loss is another decision');
  });
});

describe('a publisher that changes its key', () => {
  const next = signerOf('publisher.test/one', 5);
  const other = signerOf('publisher.test/one', 6);

  async function restart(world: World, first: Signer, second?: Signer): Promise<void> {
    await world.stop();
    const signers = second === undefined ? ([first] as const) : ([first, second] as const);
    const log = await openMemoryPublisherLog(signers, world.logFiles);
    const keys = second === undefined ? ([first.key] as const) : ([first.key, second.key] as const);
    await world.start({ log }, undefined, keys);
    published.set(world, log);
  }
  const published = new Map<World, Awaited<ReturnType<typeof openMemoryPublisherLog>>>();
  const logOf = (world: World) => {
    const log = published.get(world);
    assert.ok(log?.head);
    return { log, head: log.head };
  };

  it('names the next one and signs with both for a week, then with the next alone, without a restart', async () => {
    await using world = await imported();
    await restart(world, world.signer, next);
    await world.run(3 * MINUTE);
    const during = logOf(world).head;
    assert.equal(during.record.successor, next.key.text);
    assert.equal(during.announcements.length, 2);
    world.clock.jump(limits.belief.rotation - DAY);
    await world.run(2 * MINUTE);
    assert.equal(logOf(world).head.announcements.length, 2);
    const lastOfBoth = logOf(world).log.size;
    world.clock.jump(DAY);
    await world.run(2 * MINUTE);
    const { head, log } = logOf(world);
    assert.equal(head.record.successor, undefined);
    assert.deepEqual(
      log.keys.map(({ text }) => text),
      [next.key.text],
    );
    assert.ok(
      world.seen['publisher:noted']?.some(({ message }) => /is done: start with --key/.test(message)),
    );
    // Whoever was away finds the next key through the old one's last head.
    const [farewell, newest] = world.publisher.index.announcements();
    assert.ok(farewell && newest);
    const old = verifyAnnouncement(farewell, [world.signer.key]);
    assert.equal(old.checkpoint.size, lastOfBoth);
    assert.equal('successor' in old.record && old.record.successor, next.key.text);
    assert.equal(verifyAnnouncement(newest, [next.key]).checkpoint.size, log.size);
    assert.equal(world.publisher.index.announcements(lastOfBoth).length, 1);
    await restart(world, next);
    await world.run(2 * MINUTE);
    assert.equal(world.publisher.index.announcements().length, 2, 'kept over a restart');
    assert.equal(
      decodeAnnouncement(world.publisher.index.announcements()[0] as Uint8Array).proof.length > 0,
      true,
    );
  });

  it('that is restarted with the next key alone gives out the old one’s last head all the same', async () => {
    await using world = await imported();
    await restart(world, world.signer, next);
    await world.run(3 * MINUTE);
    const { size } = logOf(world).log;
    await restart(world, next);
    for (const minutes of [0, 2]) {
      await world.run(minutes * MINUTE);
      const [farewell, ...newest] = world.publisher.index.announcements();
      const old = verifyAnnouncement(farewell ?? new Uint8Array(), [world.signer.key]);
      assert.equal(old.checkpoint.size, size);
      assert.equal('successor' in old.record && old.record.successor, next.key.text);
      assert.equal(newest.length, 1);
    }
  });

  it('is refused what would make its word worthless, or prove misconduct', async () => {
    await using world = await imported();
    await restart(world, world.signer, next);
    await world.run(2 * MINUTE);
    await assert.rejects(restart(world, world.signer), {
      code: 'CONFIGURATION',
      message: /alone counts nowhere/,
    });
    await assert.rejects(restart(world, world.signer, other), { message: /proof of misconduct/ });
    await assert.rejects(restart(world, next, other), { message: /goes on until/ });
    await assert.rejects(restart(world, next, next), { message: /are one key/ });
    world.clock.jump(limits.belief.rotation + MINUTE);
    await restart(world, world.signer, next);
    await world.run(2 * MINUTE);
    await assert.rejects(restart(world, next, world.signer), { message: /has handed over/ });
    await restart(world, next, other);
    await world.run(2 * MINUTE);
    assert.equal(logOf(world).head.record.successor, other.key.text, 'a second change may follow the first');
    await settled();
  });
});
