/** What a publisher signs: one log, whatever happens to its process, and what peers can have of it. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Digest, digestFromBytes } from '../../../src/core/digest.ts';
import { decodeDelta } from '../../../src/core/index-map/index-delta.ts';
import { answerOf, verifyProof } from '../../../src/core/index-map/map-proof.ts';
import { decodeBin } from '../../../src/core/index-map/index-bin.ts';
import { binNumber } from '../../../src/core/index-map/index-entry.ts';
import { verifyAnnouncement } from '../../../src/core/log/announcement.ts';
import type { IndexRecord } from '../../../src/core/log/record.ts';
import { limits } from '../../../src/core/limits.ts';
import { parseProjectName } from '../../../src/core/project-name.ts';
import { createMemoryIndexMaps } from '../../../src/store/index-map/memory-index-maps.ts';
import type { PublisherLog } from '../../../src/store/publisher-log/publisher-log.ts';
import { createWorld, MINUTE, type World } from './publisher-world.ts';

const flask = parseProjectName('flask');

async function imported(): Promise<World> {
  const world = await createWorld();
  world.index.change('flask');
  for (let i = 1; i < 10; i++) world.index.change(`p${i}`);
  await world.start();
  await world.run(8000);
  return world;
}

async function records(world: World): Promise<IndexRecord[]> {
  const all: IndexRecord[] = [];
  for (let seq = 0; seq < world.log.size; seq++)
    all.push(JSON.parse(Buffer.from((await world.log.record(seq)) as Uint8Array).toString()) as IndexRecord);
  return all;
}

/** As a follower: each delta leads from one record's map to the next one's. */
async function replay(world: World): Promise<void> {
  const map = createMemoryIndexMaps().view('replayed');
  for (const [seq, record] of (await records(world)).entries()) {
    const delta = await world.publisher.index.delta(seq);
    assert.ok(delta, `the delta of record ${seq}`);
    const staged = await map.stage(decodeDelta(delta), { root: record.mapRoot });
    await staged.commit();
  }
  assert.equal(map.root(), world.map.root());
}

describe('what peers can have of a publisher', () => {
  it('deltas that lead from each record to the next, heartbeats too', async () => {
    await using world = await imported();
    world.index.change('flask');
    world.index.remove(parseProjectName('p3'));
    await world.run(3 * MINUTE);
    assert.ok(world.log.size >= 4);
    await replay(world);
  });

  it('the leaf hashes of the last 16 records, and of none before', async () => {
    await using world = await imported();
    for (let i = 0; i < 18; i++) {
      world.index.change('flask');
      await world.run(MINUTE);
    }
    const all = await records(world);
    const { index } = world.publisher;
    for (const { leaves } of all.slice(-16)) assert.equal((await index.leaves(leaves))?.length, 2 ** 21);
    assert.equal(await index.leaves(all[0]!.leaves), undefined);
  });

  it('leaf hashes that it never signed, asked for by a stranger, cost no look at the map', async () => {
    await using world = await imported();
    const { index } = world.publisher;
    const [made, whole] = [{ times: 0 }, world.map.leaves.bind(world.map)];
    world.map.leaves = () => {
      made.times++;
      return whole();
    };
    for (let i = 0; i < 20; i++)
      assert.equal(await index.leaves(i.toString(16).padStart(64, '0') as Digest), undefined);
    assert.equal(made.times, 0);
    assert.equal((await index.leaves(world.record.leaves))?.length, 2 ** 21);
    assert.equal(made.times, 1);
  });

  it('announcements that verify, bins, and proofs against the signed root', async () => {
    await using world = await imported();
    const { index } = world.publisher;
    const [announcement] = index.announcements();
    assert.ok(announcement);
    const verified = verifyAnnouncement(announcement, [world.signer.key]);
    assert.equal(verified.checkpoint.size, index.size);
    const number = binNumber(flask);
    const proof = await index.proveBin(number, world.record.mapRoot);
    assert.ok(proof);
    const answer = verifyProof(world.record.mapRoot, flask, proof);
    assert.deepEqual(answer, await world.entry(flask));
    assert.deepEqual(answerOf(decodeBin(proof.bin, number), flask), answer);
    assert.equal(await index.proveBin(number, digestFromBytes(new Uint8Array(32))), undefined);
  });

  it('pages for 48 hours after another one took their place', async () => {
    await using world = await imported();
    const old = await world.entry(flask);
    assert.ok(old);
    world.index.change('flask');
    await world.run(2 * MINUTE);
    const now = await world.entry(flask);
    assert.ok(now && now.digest !== old.digest);
    assert.deepEqual(
      [world.store.stat(old.digest)?.pinned, world.store.stat(old.digest)?.visibility],
      [true, 'public'],
    );
    world.clock.jump(limits.publish.pagesKept + MINUTE);
    await world.run(2 * MINUTE);
    assert.equal(world.store.stat(old.digest)?.pinned, false);
    assert.equal(world.store.stat(now.digest)?.pinned, true);
  });
});

describe('a publisher that is killed', () => {
  /** The process ends between the map's commit and the record. */
  function dying(log: PublisherLog): PublisherLog {
    return {
      origin: log.origin,
      keys: log.keys,
      signOnlyWith: (key) => log.signOnlyWith(key),
      get size() {
        return log.size;
      },
      get head() {
        return log.head;
      },
      append: () => Promise.reject(new Error('killed')),
      recover: async () => log.head,
      record: (seq) => log.record(seq),
      proveInclusion: (seq, size) => log.proveInclusion(seq, size),
      proveConsistency: (from, to) => log.proveConsistency(from, to),
      async [Symbol.asyncDispose]() {},
    };
  }

  it('between the map and its record signs that very change when it is back', async () => {
    await using world = await imported();
    await world.stop();
    const { size } = world.log;
    const signed = world.record.mapRoot;
    world.index.change('flask');
    await world.start({ log: dying(world.log) });
    await world.run(10_000);
    await world.stop();
    assert.notEqual(world.map.root(), signed, 'the map is ahead of the log');
    assert.equal(world.log.size, size);
    world.index.change('p1');
    await world.start();
    await world.run(2 * MINUTE);
    assert.ok(world.log.size > size);
    assert.notEqual(
      (await records(world))[size]?.stale,
      null,
      'the change that came after it is no vote yet',
    );
    await replay(world);
    assert.deepEqual(await world.state.changed(), []);
  });

  it('after its record was signed forgets what is in it', async () => {
    await using world = await imported();
    await world.stop();
    world.index.change('flask');
    const state = { ...world.state, settle: () => Promise.reject(new Error('killed')) };
    await world.start({ state });
    await world.run(10_000);
    await world.stop();
    assert.equal((await world.state.changed()).length, 1);
    await world.start();
    await world.run(2 * MINUTE);
    assert.deepEqual(await world.state.changed(), []);
    await replay(world);
  });

  it('keeps observedAt, the serial and completeness over a restart', async () => {
    await using world = await imported();
    await world.stop();
    const before = world.record;
    world.index.fail = () => {
      throw new Error('down');
    };
    await world.start();
    await world.run(3 * MINUTE);
    const { observedAt, serial, complete, fileOrigin, mapRoot, seq } = world.record;
    assert.ok(seq > before.seq);
    assert.deepEqual(
      { observedAt, serial, complete, fileOrigin, mapRoot },
      {
        observedAt: before.observedAt,
        serial: before.serial,
        complete: before.complete,
        fileOrigin: before.fileOrigin,
        mapRoot: before.mapRoot,
      },
    );
  });
});

describe('a publisher restored from a backup', () => {
  it('signs nothing more once a peer has more of its log, not after a restart either', async () => {
    await using ahead = await imported();
    await ahead.run(3 * MINUTE);
    const [announcement] = ahead.publisher.index.announcements();
    assert.ok(announcement);
    await using world = await imported();
    const { size } = world.log;
    assert.ok(size < ahead.log.size);
    await world.publisher.heard(announcement);
    await world.run(3 * MINUTE);
    assert.equal(world.log.size, size);
    const message = world.seen['publisher:stopped']?.[0]?.message ?? '';
    assert.match(message, new RegExp(`peers have ${ahead.log.size} records .* has ${size} here.*backup`));
    await world.stop();
    await world.start();
    await world.run(3 * MINUTE);
    assert.equal(world.log.size, size);
  });

  it('asks peers before its first record after a start', async () => {
    await using ahead = await imported();
    await ahead.run(3 * MINUTE);
    const heads = ahead.publisher.index.announcements();
    await using world = await imported();
    await world.stop();
    const { size } = world.log;
    await world.start({
      ownHeads: async function* () {
        yield* heads;
      },
    });
    await world.run(3 * MINUTE);
    assert.equal(world.log.size, size);
  });

  it('is not stopped by its own older heads, nor by what others signed', async () => {
    await using world = await imported();
    const own = world.publisher.index.announcements();
    await world.run(2 * MINUTE);
    for (const announcement of own) await world.publisher.heard(announcement);
    await world.publisher.heard(Buffer.from('no announcement'));
    const { size } = world.log;
    await world.run(2 * MINUTE);
    assert.ok(world.log.size > size);
  });
});

describe('a record', () => {
  it('names a page stale that is read while the record is made, as it does not hold it', async () => {
    await using world = await imported();
    const old = await world.entry(flask);
    world.index.slow.set(flask, 30_000);
    world.index.change('flask');
    await world.run(70_000);
    const { size } = world.log;
    // In flight; p1's record begins meanwhile, and takes until it has come.
    world.index.change('p1');
    const { putNote } = world.state;
    world.state.putNote = async (name, value, sync) => {
      if (name === 'pending' && value !== undefined) await world.run(40_000);
      await putNote(name, value, sync);
    };
    const [name, serial] = [parseProjectName('p1'), world.index.serial];
    await world.publisher.hint({ publisher: 'x', name, serial, digest: 'f'.repeat(64) as Digest });
    for (let waited = 0; world.log.size === size && waited < 400; waited++) await world.run(250);
    world.state.putNote = putNote;
    const first = (await records(world))[size];
    assert.ok(first);
    assert.deepEqual(await world.entry(flask), old, 'not in this record');
    assert.notEqual(first.stale, null, 'so it is no vote for it');
    await world.run(2 * MINUTE);
    assert.equal(world.record.stale, null);
    assert.notDeepEqual(await world.entry(flask), old);
  });
});
