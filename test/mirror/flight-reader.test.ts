import assert from 'node:assert/strict';
import { test } from 'node:test';
import { IntegrityError, UnavailableError } from '../../src/core/errors.ts';
import { createFlightReader } from '../../src/mirror/flight-reader.ts';
import { createGrowingFile } from '../../src/mirror/growing-file.ts';
import { createFakeClock } from '../support/fake-clock.ts';

const wrong = new IntegrityError({ expected: 'a', actual: 'b', source: 'peer:x' });

function setUp(readAt?: (target: Uint8Array) => Promise<number>) {
  const clock = createFakeClock();
  const growth = createGrowingFile(clock);
  const seat = { position: 0, leftBehind: false };
  let left = 0;
  const file = createFlightReader({
    clock,
    growth,
    seat,
    wait: 1000,
    source: 'upstream',
    readAt: readAt ?? (async (target) => target.length),
    moved: () => undefined,
    leave: () => void left++,
  });
  return { clock, growth, seat, file, left: () => left };
}
const buffer = new Uint8Array(100_000);

test('bytes that prove wrong while they are being read are not given out', async () => {
  const { promise: reading, resolve: finish } = Promise.withResolvers<number>();
  const { clock, growth, file } = setUp(() => reading);
  growth.grow(100_000);
  const read = file.read(buffer, 0);
  await clock.advance(0);
  growth.restart(wrong);
  finish(10);
  let settled = false;
  read.then(
    () => (settled = true),
    () => (settled = true),
  );
  await clock.advance(10);
  assert.equal(settled, false, 'it waits for the right bytes');
  growth.fail(new UnavailableError('enough'));
  await assert.rejects(read, { code: 'UNAVAILABLE' });
});

test('who has received bytes that proved wrong is told at the next read, who has not is not', async () => {
  const { growth, file } = setUp();
  const other = createFlightReader({
    clock: createFakeClock(),
    growth,
    seat: { position: 0, leftBehind: false },
    wait: 1000,
    source: 'upstream',
    readAt: async (target) => target.length,
    moved: () => undefined,
    leave: () => undefined,
  });
  growth.grow(100_000);
  assert.ok((await file.read(buffer, 0)) > 0);
  growth.restart(wrong);
  growth.verify(100_000);
  await assert.rejects(file.read(buffer, 50), { code: 'INTEGRITY' });
  assert.equal(await other.read(buffer, 0), 100_000);
  assert.equal(await other.read(buffer, 100_000), 0);
});

test('a read that waits longer than eight seconds gets one byte of what is held back', async () => {
  const { clock, growth, file } = setUp();
  growth.grow(1000);
  const read = file.read(buffer, 0);
  let got: number | undefined;
  void read.then((count) => (got = count));
  await clock.advance(7999);
  assert.equal(got, undefined);
  await clock.advance(1);
  assert.equal(got, 1);
});

test('a file that fails while it is read is told as its failure, not as a closed handle', async () => {
  const { growth, file } = setUp(async () => {
    growth.fail(new UnavailableError('no source is left'));
    throw new Error('the partial is closed');
  });
  growth.grow(100_000);
  await assert.rejects(file.read(buffer, 0), /no source is left/);
});

test('a reader that leaves aborts its own wait only, and leaves once', async () => {
  const { growth, file, left } = setUp();
  const leaving = new AbortController();
  const read = file.read(buffer, 0, { signal: leaving.signal });
  leaving.abort(new Error('gone'));
  await assert.rejects(read, /gone/);
  growth.grow(100_000);
  assert.ok((await file.read(buffer, 0)) > 0);
  await file[Symbol.asyncDispose]();
  await file[Symbol.asyncDispose]();
  assert.equal(left(), 1);
});
