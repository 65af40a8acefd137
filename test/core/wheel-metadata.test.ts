import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { InvalidContentError } from '../../src/core/errors.ts';
import { limits } from '../../src/core/limits.ts';
import { readWheelMetadata } from '../../src/core/wheel-metadata.ts';
import { fixturePath, fixturesMissing } from '../support/fixtures.ts';
import { buildZip } from './build-zip.ts';

const filename = 'demo_pkg-1.0-py3-none-any.whl';
const metadata = 'Metadata-Version: 2.1\nName: demo-pkg\nVersion: 1.0\n';
const entry = { name: 'demo_pkg-1.0.dist-info/METADATA', data: metadata };
const code = { name: 'demo_pkg/__init__.py', data: 'x = 1\n'.repeat(50) };
const record = { name: 'demo_pkg-1.0.dist-info/RECORD', data: 'a,b,c\n' };

interface Reads {
  readonly ranges: [offset: number, length: number][];
}

async function read(
  bytes: Buffer,
  name = filename,
  reads: Reads = { ranges: [] },
): Promise<string | undefined> {
  const source = {
    size: bytes.length,
    read(offset: number, length: number): Promise<Uint8Array> {
      assert.ok(
        offset >= 0 && offset + length <= bytes.length,
        `read ${length} at ${offset} of ${bytes.length}`,
      );
      reads.ranges.push([offset, length]);
      return Promise.resolve(new Uint8Array(bytes.subarray(offset, offset + length)));
    },
  };
  const found = await readWheelMetadata(source, name);
  return found && Buffer.from(found).toString();
}

const refused = (bytes: Buffer, part: RegExp, name = filename): Promise<void> =>
  assert.rejects(read(bytes, name), (error) => {
    assert.ok(error instanceof InvalidContentError, String(error));
    assert.match(error.message, part);
    return true;
  });

/** A zip with one field changed. */
function patched(zip: { bytes: Buffer }, change: (bytes: Buffer) => void): Buffer {
  const bytes = Buffer.from(zip.bytes);
  change(bytes);
  return bytes;
}

test('METADATA is read from deflated and stored entries, with sizes before and behind the data, and zip64', async () => {
  for (const variant of [
    {},
    { stored: true },
    { descriptor: true },
    { localExtra: 20 },
    { localExtra: 5000 },
    { zip64: true },
  ])
    for (const options of [{}, { zip64: true }, { comment: 'c'.repeat(300) }])
      assert.equal(await read(buildZip([code, { ...entry, ...variant }, record], options).bytes), metadata);
  assert.equal(await read(buildZip([code, { ...entry, data: '' }]).bytes), '');
});

test('a wheel that holds none gives undefined', async () => {
  assert.equal(await read(buildZip([]).bytes), undefined);
  assert.equal(await read(buildZip([code]).bytes), undefined);
  assert.equal(await read(buildZip([code, record]).bytes), undefined);
  assert.equal(await read(buildZip([{ ...entry, name: `sub/${entry.name}` }]).bytes), undefined);
  assert.equal(await read(buildZip([{ ...entry, name: entry.name.toLowerCase() }]).bytes), undefined);
});

test("the folder's name may differ from the filename as far as normalization goes", async () => {
  for (const [folder, name] of [
    ['Demo.Pkg-1.0', filename],
    ['demo-pkg-1.0', filename],
    ['demo_pkg-1.0.0', filename],
    ['demo_pkg', filename],
    ['demo_pkg-1.0', 'demo.pkg-1.0-3-cp311-cp311-win32.whl'],
  ] as const)
    assert.equal(
      await read(buildZip([{ ...entry, name: `${folder}.dist-info/METADATA` }]).bytes, name),
      metadata,
    );
});

test('another project, or two folders, is refused', async () => {
  await refused(
    buildZip([{ ...entry, name: 'other-1.0.dist-info/METADATA' }]).bytes,
    /belongs to another project/,
  );
  await refused(buildZip([{ ...entry, name: 'demo_pkgs-1.0.dist-info/METADATA' }]).bytes, /another project/);
  await refused(buildZip([{ ...entry, name: '.dist-info/METADATA' }]).bytes, /another project/);
  await refused(
    buildZip([entry, { ...record, name: 'demo_pkg-2.0.dist-info/RECORD' }]).bytes,
    /two \.dist-info/,
  );
  await refused(buildZip([entry, { ...entry, data: 'other' }]).bytes, /2 entries are called/);
  await refused(buildZip([entry]).bytes, /is not a wheel's filename/, 'demo_pkg-1.0.tar.gz');
});

test('bytes before or behind the archive, where unpackers disagree, are refused', async () => {
  const { bytes } = buildZip([code, entry]);
  await refused(Buffer.concat([bytes, Buffer.from('x')]), /end record does not end/);
  await refused(Buffer.concat([Buffer.from('#!/bin/sh\n'), bytes]), /directory does not end where/);
  const hidden = buildZip([{ ...entry, data: 'other' }]).bytes;
  await refused(buildZip([code, entry], { comment: hidden.subarray(-22) }).bytes, /directory does not end/);
  await refused(
    buildZip([code, entry], { comment: Buffer.concat([hidden, Buffer.alloc(9)]) }).bytes,
    /end record/,
  );
});

test('an archive that was cut anywhere, or is none, is refused', async () => {
  const { bytes } = buildZip([code, entry, record]);
  for (let length = 0; length < bytes.length; length++)
    await assert.rejects(read(bytes.subarray(0, length)), InvalidContentError, `${length}`);
  await refused(Buffer.from('<html>not found</html>'.repeat(10)), /no end record/);
});

test('a source that gives less than asked is refused', async () => {
  const { bytes } = buildZip([entry]);
  const source = { size: bytes.length, read: () => Promise.resolve(new Uint8Array(bytes.subarray(3))) };
  await assert.rejects(readWheelMetadata(source, filename), /bytes were asked for at 0/);
});

test("a source's own errors pass through", async () => {
  const failure = new Error('the upstream broke');
  const source = { size: 1000, read: () => Promise.reject(failure) };
  await assert.rejects(readWheelMetadata(source, filename), failure);
});

test('a bomb is refused before it is inflated: by its announced size, and by its true one', async () => {
  const zip = buildZip([{ ...entry, data: Buffer.alloc(limits.file.metadataBytes + 1) }]);
  await refused(zip.bytes, /at most 4194304 are read/);
  const lying = patched(zip, (bytes) => {
    bytes.writeUInt32LE(100, (zip.central[0] ?? 0) + 24);
    bytes.writeUInt32LE(100, (zip.local[0] ?? 0) + 22);
  });
  await refused(lying, /cannot be inflated/);
});

test('what the directory says of METADATA must be true', async () => {
  const zip = buildZip([code, entry, record]);
  const [, at = 0] = zip.central;
  const [, local = 0] = zip.local;
  const both = (field: number, value: number): Buffer =>
    patched(zip, (bytes) => {
      bytes.writeUInt32LE(value, at + field);
      bytes.writeUInt32LE(value, local + field - 2);
    });
  await refused(both(16, 1), /does not fit its CRC/);
  await refused(both(24, metadata.length - 1), /cannot be inflated/);
  await refused(both(24, metadata.length + 1), /bytes where/);
  await refused(both(20, zip.bytes.readUInt32LE(at + 20) - 1), /cannot be inflated|bytes where/);
  await refused(both(20, zip.bytes.readUInt32LE(at + 20) + 60), /overlaps what comes behind it/);
  const streamed = buildZip([{ ...entry, descriptor: true }]);
  const [header = 0] = streamed.central;
  await refused(
    patched(streamed, (bytes) => bytes.writeUInt32LE(bytes.readUInt32LE(header + 20) + 8, header + 20)),
    /bytes follow the deflated METADATA/,
  );
  await refused(both(20, 0x7fffffff), /reaches into its directory/);
  await refused(
    patched(zip, (bytes) => bytes.writeUInt16LE(12, at + 10)),
    /unknown method 12/,
  );
  await refused(
    patched(zip, (bytes) => bytes.writeUInt16LE(1, at + 8)),
    /encrypted/,
  );
  await refused(
    patched(zip, (bytes) => bytes.writeUInt16LE(1, local + 6)),
    /disagree/,
  );
  await refused(
    patched(zip, (bytes) => bytes.writeUInt32LE(local + 1, at + 42)),
    /does not begin where|overlaps/,
  );
});

test('a local header that says something else than the directory is refused: streaming unpackers believe it', async () => {
  const zip = buildZip([code, entry, record]);
  const [, local = 0] = zip.local;
  for (const [field, value] of [
    [8, 0],
    [14, 7],
    [18, 7],
    [22, 7],
    [30, 0x41],
  ] as const)
    await refused(
      patched(zip, (bytes) => bytes.writeUInt16LE(value, local + field)),
      /disagree/,
    );
});

test('entries that overlap are refused', async () => {
  const zip = buildZip([code, entry, record]);
  const [first = 0, , third = 0] = zip.central;
  await refused(
    patched(zip, (bytes) => bytes.writeUInt32LE(zip.local[1] ?? 0, third + 42)),
    /overlaps METADATA/,
  );
  await refused(
    patched(zip, (bytes) => bytes.writeUInt32LE((zip.local[1] ?? 0) + 35, third + 42)),
    /disagree|overlaps|does not begin/,
  );
  await refused(
    patched(zip, (bytes) => bytes.writeUInt32LE(bytes.readUInt32LE(first + 20) + 40, first + 20)),
    /overlaps METADATA/,
  );
});

test('a directory whose end records lie is refused', async () => {
  const zip = buildZip([code, entry]);
  const wide = buildZip([code, entry], { zip64: true });
  for (const [field, value] of [
    [8, 1],
    [10, 3],
    [10, 1],
    [4, 1],
  ] as const)
    await refused(
      patched(zip, (bytes) => bytes.writeUInt16LE(value, zip.end + field)),
      /one part of several|too short|announced/,
    );
  for (const count of [1, 0])
    await refused(
      patched(zip, (bytes) => {
        bytes.writeUInt16LE(count, zip.end + 8);
        bytes.writeUInt16LE(count, zip.end + 10);
      }),
      /2 entries where [01] are announced/,
    );
  await refused(
    patched(zip, (bytes) => {
      bytes.writeUInt16LE(60_000, zip.end + 8);
      bytes.writeUInt16LE(60_000, zip.end + 10);
    }),
    /too short for 60000 entries/,
  );
  await refused(
    patched(zip, (bytes) => bytes.writeUInt32LE(0xfffffff0, zip.end + 12)),
    /at most 16777216 are read/,
  );
  await refused(
    patched(zip, (bytes) => bytes.writeUInt32LE(zip.directory - 1, zip.end + 16)),
    /does not end where/,
  );
  await refused(
    patched(zip, (bytes) => bytes.writeUInt32LE(0, zip.central[1] ?? 0)),
    /broken at entry 1/,
  );
  await refused(
    patched(zip, (bytes) => bytes.writeUInt16LE(9999, (zip.central[1] ?? 0) + 32)),
    /entry 1 of its directory is cut/,
  );
  await refused(
    patched(wide, (bytes) => bytes.writeBigUInt64LE(2n ** 63n, wide.end - 76 + 40)),
    /speaks of 9223372036854775808 bytes/,
  );
  await refused(
    patched(wide, (bytes) => bytes.writeUInt16LE(1, wide.end + 10)),
    /two end records disagree/,
  );
  await refused(
    patched(wide, (bytes) => bytes.writeBigUInt64LE(5n, wide.end - 12)),
    /zip64 end record is not where/,
  );
});

test('one flipped byte gives the same METADATA or an error, never another', async () => {
  const zip = buildZip([code, entry, record]);
  await fc.assert(
    fc.asyncProperty(fc.nat(zip.bytes.length - 1), fc.integer({ min: 1, max: 255 }), async (at, flip) => {
      const bytes = patched(zip, (bytes) => bytes.writeUInt8((bytes[at] ?? 0) ^ flip, at));
      try {
        const found = await read(bytes);
        assert.ok(found === metadata || found === undefined);
        if (found === undefined) assert.ok(at >= zip.directory);
      } catch (error) {
        assert.ok(error instanceof InvalidContentError, String(error));
      }
    }),
    { numRuns: 500 },
  );
});

test('few bytes are read of a large wheel: the tail, and the entry where it lies far from it', async () => {
  const big = { name: 'demo_pkg/big.bin', data: randomBytes(300_000), stored: true };
  const near: Reads = { ranges: [] };
  assert.equal(await read(buildZip([big, entry, record]).bytes, filename, near), metadata);
  assert.equal(near.ranges.length, 1);
  const far: Reads = { ranges: [] };
  assert.equal(await read(buildZip([entry, big, record]).bytes, filename, far), metadata);
  assert.equal(far.ranges.length, 2);
  assert.ok((far.ranges[1]?.[1] ?? Infinity) < 300);
  const many = Array.from({ length: 3000 }, (_, n) => ({ name: `demo_pkg/module_${n}.py`, data: 'x' }));
  const wide: Reads = { ranges: [] };
  assert.equal(await read(buildZip([entry, big, ...many]).bytes, filename, wide), metadata);
  assert.equal(wide.ranges.length, 3);
});

test(
  'every real wheel gives what Python reads from it, in at most three ranges',
  { skip: fixturesMissing() },
  async (t) => {
    const wheels = readdirSync(fixturePath('files')).filter((name) => name.endsWith('.whl'));
    assert.equal(wheels.length, 112);
    const found: Record<string, string> = {};
    const counts: Record<number, number> = {};
    for (const name of wheels) {
      const bytes = readFileSync(fixturePath(`files/${name}`));
      const reads: Reads = { ranges: [] };
      const text = await read(bytes, name, reads);
      assert.match(text ?? '', /^Metadata-Version: /);
      found[name] = createHash('sha256')
        .update(text ?? '')
        .digest('hex');
      counts[reads.ranges.length] = (counts[reads.ranges.length] ?? 0) + 1;
      const total = reads.ranges.reduce((sum, [, length]) => sum + length, 0);
      assert.ok(total < 170_000, `${name}: ${total} bytes`);
    }
    assert.ok((counts[1] ?? 0) > 100 && Object.keys(counts).every((ranges) => Number(ranges) <= 3));
    t.diagnostic(`wheels by number of ranges: ${JSON.stringify(counts)}`);
    const script = `
import hashlib, json, sys, zipfile
out = {}
for path in sys.argv[1:]:
    with zipfile.ZipFile(path) as z:
        names = [n for n in z.namelist() if n.count("/") == 1 and n.endswith(".dist-info/METADATA")]
        assert len(names) == 1, path
        out[path.rsplit("/", 1)[1]] = hashlib.sha256(z.read(names[0])).hexdigest()
print(json.dumps(out))`;
    const python = spawnSync(
      'python3',
      ['-c', script, ...wheels.map((name) => fixturePath(`files/${name}`))],
      {
        encoding: 'utf8',
        timeout: 30_000,
      },
    );
    if (python.error !== undefined) {
      t.diagnostic('no python3 here: not compared');
      return;
    }
    assert.equal(python.status, 0, python.stderr);
    assert.deepEqual(found, JSON.parse(python.stdout));
  },
);
