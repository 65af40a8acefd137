/** What index maps do, on whatever they are kept. `open` gives fresh, empty ones. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { digestFromBytes } from '../../../src/core/digest.ts';
import { InvalidIndexMapError } from '../../../src/core/errors.ts';
import { decodeBin, encodeBin } from '../../../src/core/index-map/index-bin.ts';
import { decodeDelta, encodeDelta } from '../../../src/core/index-map/index-delta.ts';
import { binNumber, BINS, compareNames, type IndexEntry } from '../../../src/core/index-map/index-entry.ts';
import { verifyProof } from '../../../src/core/index-map/map-proof.ts';
import { MerkleTree } from '../../../src/core/index-map/merkle-tree.ts';
import { leafHash } from '../../../src/core/index-map/tree-hash.ts';
import { type ProjectName, parseProjectName } from '../../../src/core/project-name.ts';
import { diffMaps } from '../../../src/store/index-map/diff-maps.ts';
import type { IndexMap, IndexMaps } from '../../../src/store/index-map/index-maps.ts';
import { anyEntries, entryFor, groundEntries } from '../../core/index-map/some-entries.ts';

export interface OpenMaps {
  (): Promise<{ readonly maps: IndexMaps } & AsyncDisposable>;
}

export async function allEntries(map: IndexMap): Promise<IndexEntry[]> {
  const all: IndexEntry[] = [];
  for await (const entries of map.entries()) all.push(...entries);
  return all.sort((left, right) => compareNames(left.name, right.name));
}

export const sorted = (entries: readonly IndexEntry[]): IndexEntry[] =>
  entries.toSorted((left, right) => compareNames(left.name, right.name));

/** Replaces everything in the map. */
export async function setTo(map: IndexMap, entries: readonly IndexEntry[]): Promise<void> {
  const del = (await allEntries(map)).map(({ name }) => name);
  const change = await map.change({ del, set: entries });
  await change.commit();
}

const names = (...texts: string[]): ProjectName[] => texts.map(parseProjectName);

export function indexMapsContract(open: OpenMaps): void {
  describe('index maps', () => {
    it('a new map is empty, and has the root of 65,536 empty bins', async () => {
      await using opened = await open();
      const map = opened.maps.view('a');
      assert.equal(map.count, 0);
      assert.equal(map.root(), MerkleTree.ofEqualLeaves(leafHash(Buffer.from('a1616580', 'hex'))).root());
      assert.equal(await map.get(parseProjectName('flask')), 'absent');
      assert.deepEqual(await allEntries(map), []);
      assert.deepEqual(opened.maps.views(), []);
      assert.deepEqual(opened.maps.missing(map.leaves()), []);
    });

    it('says of every name what was set, with a proof', async () => {
      await using opened = await open();
      const map = opened.maps.view('a');
      const entries = Array.from({ length: 200 }, (_, at) => entryFor(`name-${at}`, at));
      await setTo(map, entries);
      assert.equal(map.count, 200);
      for (const entry of entries.slice(0, 20)) {
        assert.deepEqual(await map.get(entry.name), entry);
        assert.deepEqual(verifyProof(map.root(), entry.name, await map.prove(entry.name)), entry);
      }
      const [absent] = names('not-there') as [ProjectName];
      assert.equal(verifyProof(map.root(), absent, await map.prove(absent)), 'absent');
      assert.deepEqual(await allEntries(map), sorted(entries));
    });

    it('the root ignores the order in which names came, and whether they were built or changed in', async () => {
      await using opened = await open();
      const { maps } = opened;
      const all = Array.from({ length: 60 }, (_, at) => entryFor(`n${at}`, at));
      await maps.build('built', all);
      let round = 0;
      await fc.assert(
        fc.asyncProperty(fc.shuffledSubarray(all, { minLength: 60 }), fc.nat(60), async (shuffled, at) => {
          const map = maps.view(`round ${round++}`);
          const odd = entryFor('odd');
          await (await map.change({ set: [...shuffled.slice(0, at), odd], del: [] })).commit();
          await (await map.change({ set: shuffled.slice(at), del: [odd.name] })).commit();
          assert.equal(map.root(), maps.view('built').root());
          assert.equal(map.count, 60);
          await maps.drop(map.name);
        }),
        { numRuns: 8 },
      );
    });

    it('apply(diff(a, b), a) is b, and nothing is changed before the commit', async () => {
      await using opened = await open();
      const [a, b] = [opened.maps.view('a'), opened.maps.view('b')];
      await fc.assert(
        fc.asyncProperty(anyEntries, anyEntries, async (before, after) => {
          await setTo(a, before);
          await setTo(b, after);
          const root = a.root();
          const delta = decodeDelta(encodeDelta(await diffMaps(a, b)));
          const change = await a.stage(delta, { root: b.root() });
          assert.deepEqual([change.root, change.count], [b.root(), b.count]);
          assert.equal(a.root(), root);
          assert.deepEqual(await allEntries(a), sorted(before));
          await change.commit();
          assert.equal(a.root(), b.root());
          assert.deepEqual(await allEntries(a), sorted(after));
          assert.equal(a.count, after.length);
        }),
        { numRuns: 10 },
      );
    });

    it('a delta that leads to another root is refused and leaves the map as it was', async () => {
      await using opened = await open();
      const map = opened.maps.view('a');
      await setTo(map, [entryFor('flask', 1)]);
      const root = map.root();
      const delta = { set: [entryFor('flask', 2)], del: [], turned: [] };
      await assert.rejects(map.stage(delta, { root }), { code: 'DELTA_WRONG_ROOT' });
      await assert.rejects(map.stageLeaves(opened.maps.view('b').leaves(), { root }), {
        code: 'DELTA_WRONG_ROOT',
      });
      assert.equal(map.root(), root);
      assert.deepEqual(await map.get(parseProjectName('flask')), entryFor('flask', 1));
    });

    it('a staged change is committed only on the map that it was worked out for', async () => {
      await using opened = await open();
      const map = opened.maps.view('a');
      const [first, second] = [
        await map.change({ set: [entryFor('a')], del: [] }),
        await map.change({ set: [entryFor('b')], del: [] }),
      ];
      await first.commit();
      await assert.rejects(second.commit(), /changed since/);
      await assert.rejects(first.commit(), /changed since/);
      assert.deepEqual(await allEntries(map), [entryFor('a')]);
    });

    it('a publisher keeps an overfull bin within its limit, and followers follow it there and back by deltas', async () => {
      await using opened = await open();
      const [publisher, follower] = [opened.maps.view('publisher'), opened.maps.view('follower')];
      const { number, entries } = groundEntries();
      const follow = async (changes: { set: IndexEntry[]; del: ProjectName[] }): Promise<number[]> => {
        const change = await publisher.change(changes);
        const staged = await follower.stage(decodeDelta(encodeDelta(change.delta)), { root: change.root });
        await change.commit();
        await staged.commit();
        assert.equal(follower.root(), publisher.root());
        assert.equal(follower.count, publisher.count);
        return [...change.delta.turned];
      };
      assert.deepEqual(await follow({ set: entries.slice(0, 200), del: [] }), []);
      assert.deepEqual(await follow({ set: entries.slice(200), del: [] }), [number]);
      assert.ok((await follower.bin(number)).length <= 65_536);
      const [lowest, highest] = [entries[0]!, entries.at(-1)!];
      assert.deepEqual(await follower.get(lowest.name), lowest);
      assert.equal(await follower.get(highest.name), 'unknown');
      assert.equal(verifyProof(follower.root(), highest.name, await follower.prove(highest.name)), 'unknown');
      // Made anew from all names, now that they fit.
      await opened.maps.build('publisher', entries.slice(0, 10));
      const delta = await diffMaps(follower, publisher);
      assert.deepEqual(delta.turned, [number]);
      await (await follower.stage(delta, { root: publisher.root() })).commit();
      assert.equal(await follower.get(highest.name), 'absent');
    });

    it('a delta that would make a bin too large is refused', async () => {
      await using opened = await open();
      const map = opened.maps.view('a');
      const { entries } = groundEntries();
      const delta = { set: sorted(entries), del: [], turned: [] };
      await assert.rejects(map.stage(delta), { code: 'BIN_TOO_LARGE' });
      assert.equal(map.count, 0);
    });

    it('maps are apart from each other, and bins are found by their leaf hash', async () => {
      await using opened = await open();
      const { maps } = opened;
      await setTo(maps.view('a'), [entryFor('flask', 1)]);
      await setTo(maps.view('b'), [entryFor('flask', 2)]);
      assert.deepEqual(maps.views().sort(), ['a', 'b']);
      const number = binNumber(entryFor('flask').name);
      for (const [name, serial] of [
        ['a', 1],
        ['b', 2],
      ] as const) {
        const map = maps.view(name);
        assert.deepEqual(await map.get(parseProjectName('flask')), entryFor('flask', serial));
        const bytes = await map.bin(number);
        assert.deepEqual(await maps.bin(digestFromBytes(leafHash(bytes))), bytes);
      }
      assert.equal(await maps.bin(digestFromBytes(new Uint8Array(32))), undefined);
      await maps.drop('b');
      assert.deepEqual(maps.views(), ['a']);
      assert.equal(maps.view('b').count, 0);
    });

    it('a map is taken over from its leaf hashes, as soon as the bins that are missing were added', async () => {
      await using theirs = await open();
      await using ours = await open();
      const entries = Array.from({ length: 500 }, (_, at) => entryFor(`n${at}`));
      await theirs.maps.build('p', entries);
      const source = theirs.maps.view('p');
      const leaves = source.leaves();
      const target = ours.maps.view('p');
      await assert.rejects(target.stageLeaves(leaves), { code: 'LEAVES_INCOMPLETE' });
      using _hold = ours.maps.hold();
      const missing = ours.maps.missing(leaves);
      assert.deepEqual(
        missing,
        [...new Set(entries.map(({ name }) => binNumber(name)))].sort((a, b) => a - b),
      );
      const bins = await Promise.all(missing.map(async (at) => [at, await source.bin(at)] as const));
      await ours.maps.add(bins.slice(0, 100));
      assert.deepEqual(ours.maps.missing(leaves), missing.slice(100));
      await assert.rejects(target.stageLeaves(leaves), { code: 'LEAVES_INCOMPLETE' });
      await ours.maps.add(bins.slice(100));
      const change = await target.stageLeaves(leaves, { root: source.root() });
      assert.deepEqual([change.root, change.count], [source.root(), 500]);
      await change.commit();
      assert.deepEqual(await allEntries(target), sorted(entries));
    });

    it('a bin that breaks the rules is not added, whoever signed for it', async () => {
      await using opened = await open();
      const bytes = encodeBin({ entries: [entryFor('flask')], partial: false });
      const number = binNumber(entryFor('flask').name);
      const refused = (at: number, bin: Uint8Array, code: string): Promise<void> =>
        assert.rejects(
          opened.maps.add([[at, bin]]),
          (error) => error instanceof InvalidIndexMapError && error.code === code,
        );
      await refused(number ^ 1, bytes, 'BIN_FOREIGN_NAME');
      await refused(number, bytes.subarray(1), 'BIN_MALFORMED');
      await refused(number, new Uint8Array(65_537), 'BIN_TOO_LARGE');
      assert.equal(await opened.maps.bin(digestFromBytes(leafHash(bytes))), undefined);
      await opened.maps.add([[number, bytes]]);
      assert.equal(decodeBin(bytes, number).entries.length, 1);
      assert.ok(await opened.maps.bin(digestFromBytes(leafHash(bytes))));
      for (const length of [0, BINS * 32 - 1]) {
        assert.throws(() => opened.maps.missing(new Uint8Array(length)), { code: 'LEAVES_MALFORMED' });
        await assert.rejects(opened.maps.view('a').stageLeaves(new Uint8Array(length)), {
          code: 'LEAVES_MALFORMED',
        });
      }
    });

    it('a name that is given twice is refused when a map is built, and the map stays', async () => {
      await using opened = await open();
      await opened.maps.build('a', [entryFor('kept')]);
      await assert.rejects(opened.maps.build('a', [entryFor('b', 1), entryFor('b', 2)]), {
        code: 'BIN_BAD_ORDER',
      });
      assert.deepEqual(await allEntries(opened.maps.view('a')), [entryFor('kept')]);
    });

    it('many names from a slow source are built in one go', async () => {
      await using opened = await open();
      const entries = Array.from({ length: 3000 }, (_, at) => entryFor(`n${at}`, at));
      await opened.maps.build(
        'a',
        (async function* () {
          yield* entries;
        })(),
      );
      assert.equal(opened.maps.view('a').count, 3000);
      assert.deepEqual(await allEntries(opened.maps.view('a')), sorted(entries));
    });

    it('names of maps are short, and there are few maps', async () => {
      await using opened = await open();
      for (const name of ['', 'n'.repeat(256)]) assert.throws(() => opened.maps.view(name), TypeError);
      for (let at = 0; at < 64; at++) opened.maps.view(String(at));
      assert.throws(() => opened.maps.view('one more'), { code: 'STORAGE_FULL' });
      assert.ok(opened.maps.view('5'));
    });

    it('is closed twice without harm', async () => {
      const opened = await open();
      await opened[Symbol.asyncDispose]();
      await opened.maps[Symbol.asyncDispose]();
    });
  });
}
