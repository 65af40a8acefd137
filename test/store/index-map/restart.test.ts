/** What is on disk when maps are opened again, whole or not. */
import assert from 'node:assert/strict';
import { cp, readdir, readFile, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { ConfigurationError, UnavailableError } from '../../../src/core/errors.ts';
import { binNumber } from '../../../src/core/index-map/index-entry.ts';
import { temporaryFolder } from '../../support/disk-store.ts';
import { entryFor } from '../../core/index-map/some-entries.ts';
import { allEntries, setTo, sorted } from './index-maps-contract.ts';
import { openMapsIn, type OpenedMaps } from './open-maps.ts';

const flask = entryFor('flask', 1);
const entries = Array.from({ length: 300 }, (_, at) => entryFor(`n${at}`, at));

async function flip(path: string, position: number): Promise<void> {
  const bytes = await readFile(path);
  bytes[position] = (bytes[position] ?? 0) ^ 0x10;
  await writeFile(path, bytes);
}

const messages = ({ told }: OpenedMaps): string[] =>
  told.map(({ name, fact }) => `${name}: ${(fact as { message: string }).message}`);

/** A built map `a` with a change, and `b`. Returns the roots. */
async function fill(path: string): Promise<{ a: string[]; b: string }> {
  await using opened = await openMapsIn(path);
  const { maps } = opened;
  await maps.build('a', entries);
  const roots = [maps.view('a').root() as string];
  for (const serial of [1, 2]) {
    await (await maps.view('a').change({ set: [entryFor('flask', serial)], del: [] })).commit();
    roots.push(maps.view('a').root());
  }
  await setTo(maps.view('b'), [flask]);
  return { a: roots, b: maps.view('b').root() };
}

test('maps are after a restart what was committed; a dropped one is gone', async () => {
  await using folder = await temporaryFolder();
  const roots = await fill(folder.path);
  {
    await using opened = await openMapsIn(folder.path);
    const { maps } = opened;
    assert.deepEqual(maps.views().sort(), ['a', 'b']);
    assert.equal(maps.view('a').root(), roots.a[2]);
    assert.equal(maps.view('b').root(), roots.b);
    assert.equal(maps.view('a').count, 301);
    assert.deepEqual(await allEntries(maps.view('a')), sorted([...entries, entryFor('flask', 2)]));
    assert.deepEqual(opened.told, []);
    await maps.drop('a');
  }
  await using again = await openMapsIn(folder.path);
  assert.deepEqual(again.maps.views(), ['b']);
  assert.deepEqual(await allEntries(again.maps.view('b')), [flask]);
});

test('an overlay that was cut or damaged anywhere gives an earlier commit, never another map', async () => {
  await using folder = await temporaryFolder();
  const roots = await fill(join(folder.path, 'whole'));
  const [log = ''] = (await readdir(join(folder.path, 'whole'))).filter((name) => name.endsWith('.log'));
  const size = (await stat(join(folder.path, 'whole', log))).size;
  for (let round = 0; round < 8; round++) {
    const path = join(folder.path, String(round));
    await cp(join(folder.path, 'whole'), path, { recursive: true });
    const position = 64 + Math.floor(((round + 1) * (size - 64)) / 9);
    if (round % 2 === 0) await truncate(join(path, log), position);
    else await flip(join(path, log), position);
    let root: string;
    {
      await using opened = await openMapsIn(path);
      const map = opened.maps.view('a');
      root = map.root();
      const serial = roots.a.indexOf(root);
      if (opened.maps.views().includes('a')) {
        assert.ok(serial >= 0, `byte ${position}`);
        const expected = serial === 0 ? 'absent' : entryFor('flask', serial);
        assert.deepEqual(await map.get(flask.name), expected);
      } else assert.equal(map.count, 0);
      assert.match(messages(opened)[0] ?? '', /storage:repaired: .*unfinished write/);
      await (await map.change({ set: [entryFor('after')], del: [] })).commit();
      root = map.root();
    }
    // What was cut off does not come back.
    await using again = await openMapsIn(path);
    assert.equal(again.maps.view('a').root(), root);
    assert.deepEqual(again.told, []);
  }
});

test('a damaged bin is missing, nothing else is, and it can be mended, also after a new base was written', async () => {
  await using folder = await temporaryFolder();
  await fill(folder.path);
  const [base = ''] = (await readdir(folder.path)).filter((name) => name.endsWith('.base'));
  const victim = entries[7]!;
  const number = binNumber(victim.name);
  const bytes = await readFile(join(folder.path, base));
  await flip(join(folder.path, base), bytes.indexOf(Buffer.from(victim.digest, 'hex')));
  let whole: Uint8Array;
  {
    await using opened = await openMapsIn(join(folder.path), { due: { touched: 0, bytes: 0 } });
    const map = opened.maps.view('a');
    assert.equal(map.count, 301, 'nobody has looked at it yet');
    await assert.rejects(map.get(victim.name), UnavailableError);
    await assert.rejects(map.prove(victim.name), UnavailableError);
    assert.deepEqual(await map.get(entries[8]!.name), entries[8]);
    assert.match(messages(opened)[0] ?? '', /storage:repaired: bin \d+ .*damaged/);
    assert.deepEqual(opened.maps.missing(map.leaves()), [number]);
    const root = map.root();
    // Every commit is followed by a new base here.
    await (await map.change({ set: [entryFor('next')], del: [] })).commit();
    await (await map.change({ set: [], del: [entryFor('next').name] })).commit();
    assert.equal(map.root(), root);
    assert.deepEqual(opened.maps.missing(map.leaves()), [number]);
    // What is asked for now is done after the new bases.
    await opened.maps.drop('none');
    const lost = entries.filter(({ name }) => binNumber(name) === number).length;
    assert.equal(map.count, 301 - lost, 'a new base does not hide what it lacks');
    await using fresh = await openMapsIn(join(folder.path, 'other'));
    await fresh.maps.build('a', entries);
    whole = await fresh.maps.view('a').bin(number);
    await opened.maps.add([[number, whole]]);
    assert.deepEqual(await map.get(victim.name), victim);
    assert.equal(map.count, 301);
  }
  await using again = await openMapsIn(folder.path);
  assert.deepEqual(await again.maps.view('a').get(victim.name), victim);
});

test('a base with a damaged table, cut short, gone, or of somebody else is set aside, and the maps begin anew', async () => {
  await using folder = await temporaryFolder();
  await fill(join(folder.path, 'whole'));
  const files = await readdir(join(folder.path, 'whole'));
  const [base = ''] = files.filter((name) => name.endsWith('.base'));
  const [log = ''] = files.filter((name) => name.endsWith('.log'));
  const faults: Record<string, (path: string) => Promise<void>> = {
    table: (path) => flip(join(path, base), 300_000),
    head: (path) => flip(join(path, base), 3),
    'cut short': async (path) => truncate(join(path, base), (await stat(join(path, base))).size - 1),
    'base of another': (path) => writeFile(join(path, base), 'something else entirely'),
    'overlay of another': (path) => writeFile(join(path, log), 'something else entirely'),
    'overlay empty': (path) => writeFile(join(path, log), ''),
  };
  for (const [fault, make] of Object.entries(faults)) {
    const path = join(folder.path, fault);
    await cp(join(folder.path, 'whole'), path, { recursive: true });
    await make(path);
    await writeFile(join(path, 'notes.txt'), 'mine');
    await using opened = await openMapsIn(path);
    assert.deepEqual(opened.maps.views(), [], fault);
    assert.match(messages(opened)[0] ?? '', /begin anew/, fault);
    assert.ok((await readdir(path)).includes('damaged.base'), fault);
    assert.equal(await readFile(join(path, 'notes.txt'), 'utf8'), 'mine');
    await setTo(opened.maps.view('a'), [flask]);
    assert.deepEqual(await opened.maps.view('a').get(flask.name), flask);
  }
});

test('a newer format is refused with what to do, and nothing is changed', async () => {
  await using folder = await temporaryFolder();
  await fill(folder.path);
  const before = await readdir(folder.path);
  const [base = ''] = before.filter((name) => name.endsWith('.base'));
  const bytes = await readFile(join(folder.path, base));
  bytes.writeUInt32BE(2, 16);
  await writeFile(join(folder.path, base), bytes);
  await assert.rejects(
    openMapsIn(folder.path),
    (error) =>
      error instanceof ConfigurationError && /format 2/.test(error.message) && /newer fondue/.test(error.fix),
  );
  assert.deepEqual(await readdir(folder.path), before);
});

test('a generation that was not finished is removed', async () => {
  await using folder = await temporaryFolder();
  const roots = await fill(folder.path);
  const [base = ''] = (await readdir(folder.path)).filter((name) => name.endsWith('.base'));
  const number = parseInt(base, 10);
  await cp(join(folder.path, base), join(folder.path, `${number + 1}.base`));
  await writeFile(join(folder.path, `${number + 1}.log.new`), 'half');
  await writeFile(join(folder.path, `${number + 2}.base.new`), 'half');
  await using opened = await openMapsIn(folder.path);
  assert.equal(opened.maps.view('a').root(), roots.a[2]);
  assert.deepEqual((await readdir(folder.path)).sort(), [`${number}.base`, `${number}.log`]);
});
