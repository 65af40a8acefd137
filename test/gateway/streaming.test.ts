import assert from 'node:assert/strict';
import { Writable } from 'node:stream';
import { test } from 'node:test';
import { IntegrityError, UnavailableError } from '../../src/core/errors.ts';
import { createBufferPool } from '../../src/gateway/buffer-pool.ts';
import { sendFile } from '../../src/gateway/send-body.ts';
import type { Exchange } from '../../src/gateway/exchange.ts';
import { limits } from '../../src/core/limits.ts';
import type { OpenedFile } from '../../src/mirror/mirror.ts';
import { createFakeClock } from '../support/fake-clock.ts';
import { someBytes } from '../support/memory-shelf.ts';
import { digestOf, type DoubleFile } from './mirror-double.ts';
import { startGateway } from './test-gateway.ts';

const MiB = 1024 * 1024;
const WHEEL = 'numpy-2.0.0-cp312-none-any.whl';
const big = someBytes(2 * MiB + 333, 7);

function urlOf({ ref }: DoubleFile): string {
  return `/files/${ref.digest}/${ref.filename}`;
}

function get(path: string, version = '1.1'): string {
  return `GET ${path} HTTP/${version}\r\nHost: localhost\r\n\r\n`;
}

/** Turns of the event loop until `value` has not changed for many. */
async function settled(value: () => number): Promise<number> {
  let last = value();
  for (let quiet = 0; quiet < 200; quiet++) {
    await new Promise((resolve) => setImmediate(resolve));
    if (value() !== last) quiet = 0;
    last = value();
  }
  return last;
}

/** A file of any size that is nowhere: complete, and it remembers how far it was read. */
function endless(size: number): OpenedFile & { readTo: number; disposed: boolean } {
  return {
    source: 'disk',
    complete: true,
    size,
    available: size,
    readTo: 0,
    disposed: false,
    knownSize: async () => size,
    async read(target, offset) {
      const count = Math.min(target.length, size - offset);
      this.readTo = Math.max(this.readTo, offset + count);
      return count;
    },
    async [Symbol.asyncDispose]() {
      this.disposed = true;
    },
  };
}

test('a file that grows while it is served goes out as it comes', async () => {
  await using node = await startGateway();
  const file = node.mirror.putFile({ filename: WHEEL, bytes: big, complete: false, source: 'upstream' });
  const waiting = file.waiting();
  const { until, socket } = node.raw(get(urlOf(file)));
  await waiting;
  file.release(10);
  const head = await until(/\r\n\r\n[^]{10}$/);
  assert.match(head, /Content-Length: 2097485\r\n/);
  assert.match(head, /Fondue-Source: upstream\r\n/);
  assert.equal(head.slice(-10), Buffer.from(big.subarray(0, 10)).toString('latin1'));
  socket.destroy();
});

for (const [what, size] of [
  ['of known length', undefined],
  ['of unknown length', 'unknown'],
] as const) {
  for (const version of ['1.1', '1.0']) {
    test(`bytes ${what} that turn out wrong are a broken connection over HTTP/${version}, never a clean end`, async () => {
      await using node = await startGateway();
      const file = node.mirror.putFile({
        filename: WHEEL,
        bytes: big,
        complete: false,
        ...(size === undefined ? {} : { size }),
      });
      if (size === 'unknown') file.tellSize(undefined);
      const waiting = file.waiting();
      const { until, closed, socket, received } = node.raw(get(urlOf(file), version));
      const reset = new Promise((resolve) => socket.once('error', resolve));
      await waiting;
      file.release(1000);
      await until(/\r\n\r\n[^]{1000}/);
      await file.waiting();
      file.fail(new IntegrityError({ expected: 'sha256 a', actual: 'sha256 b', source: 'peer:12D3' }));
      await closed;
      assert.equal(((await reset) as NodeJS.ErrnoException).code, 'ECONNRESET');
      assert.doesNotMatch(received(), /\r\n0\r\n\r\n$/, 'no last chunk');
      assert.equal(file.disposed, 1);
      assert.deepEqual(node.reported, []);
    });
  }
}

test('a source that is lost in the middle is a broken connection too, and a file that is too short as well', async () => {
  await using node = await startGateway();
  const lost = node.mirror.putFile({ filename: 'lost-1.0.whl', bytes: big, complete: false });
  const waiting = lost.waiting();
  const answer = node.ask(urlOf(lost));
  await waiting;
  lost.release(100_000);
  await lost.waiting();
  lost.fail(new UnavailableError('nobody has the rest'));
  assert.notEqual((await answer).broken, undefined);

  const short = node.mirror.putFile({ filename: 'short-1.0.whl', bytes: big, size: big.length + 1 });
  assert.notEqual((await node.ask(urlOf(short))).broken, undefined);
});

test("an error that is nobody's fault but ours breaks the connection too, and is reported", async () => {
  await using node = await startGateway();
  const file = node.mirror.putFile({ filename: WHEEL, bytes: big, complete: false });
  const waiting = file.waiting();
  const answer = node.ask(urlOf(file));
  await waiting;
  file.release(1000);
  await file.waiting();
  file.fail(new TypeError('a bug'));
  assert.notEqual((await answer).broken, undefined);
  assert.equal(node.reported.length, 1);
});

test('a client that leaves ends its reading and lets go of the file', async () => {
  await using node = await startGateway();
  const file = node.mirror.putFile({ filename: WHEEL, bytes: big, complete: false });
  const waiting = file.waiting();
  const { until, socket } = node.raw(get(urlOf(file)));
  await waiting;
  file.release(1000);
  await until(/\r\n\r\n[^]{1000}/);
  await file.waiting();
  const over = new Promise<number>((resolve) =>
    node.facts.on('served:request', ({ status }) => resolve(status)),
  );
  socket.destroy();
  assert.equal(await over, 200);
  await settled(() => file.disposed);
  assert.equal(file.disposed, 1);
  assert.deepEqual(node.reported, []);
});

test('a client that does not read makes the gateway read no more than its buffers', async () => {
  await using node = await startGateway();
  const file = node.mirror.putFile({ filename: WHEEL, bytes: big });
  const source = endless(1e9);
  node.mirror.override({
    findFile: async () => ({ kind: 'file', ref: { ...file.ref, size: 1e9 } }),
    openFile: async () => ({ kind: 'opened', file: source }),
  });
  const { socket } = node.raw('');
  socket.pause();
  socket.write(get(urlOf(file)));
  await settled(() => source.readTo);
  assert.ok(source.readTo >= MiB);
  // Two buffers of ours, the rest is in the kernel's two socket buffers (Linux: at most 4 + 6 MiB).
  assert.ok(source.readTo <= 13 * MiB, `${source.readTo} bytes read ahead`);
  assert.equal(source.disposed, false);
  socket.destroy();
  await settled(() => Number(source.disposed));
  assert.equal(source.disposed, true);
});

test('a client that takes nothing for the idle time is let go, one that waits for us is not', async () => {
  await using node = await startGateway({ limits: { idleTime: 150 } });
  const file = node.mirror.putFile({ filename: WHEEL, bytes: big });
  const source = endless(1e9);
  const { promise: gate, resolve: open } = Promise.withResolvers<void>();
  node.mirror.override({
    findFile: async () => ({ kind: 'file', ref: { ...file.ref, size: 1e9 } }),
    openFile: async () => ({ kind: 'opened', file: source }),
  });
  node.mirror.putAnswer('slow', async () => {
    await gate;
    return { kind: 'absent', ageSeconds: 0, freshSeconds: 0 };
  });
  const patient = node.ask('/simple/slow/');
  const stalled = node.raw('');
  stalled.socket.pause();
  stalled.socket.write(get(urlOf(file)));
  // The pause hides the reset from the client: the gateway's side tells.
  await new Promise<void>((resolve) => node.facts.on('served:request', () => resolve()));
  await settled(() => Number(source.disposed));
  assert.equal(source.disposed, true);
  open();
  assert.equal((await patient).status, 404);
});

test('50 clients of one file that is being fetched each get all of it', async () => {
  await using node = await startGateway();
  const file = node.mirror.putFile({ filename: WHEEL, bytes: big, complete: false });
  const answers = Array.from({ length: 50 }, () => node.ask(urlOf(file)));
  for (let length = 100_000; length < big.length; length += 400_000) {
    await file.waiting();
    file.release(length);
  }
  file.finish();
  for (const { status, body, broken } of await Promise.all(answers)) {
    assert.equal(status, 200);
    assert.equal(broken, undefined);
    assert.equal(digestOf(body), file.ref.digest);
  }
  assert.equal(file.disposed, 50);
});

test("with few buffers for many clients, slow ones and leaving ones, nobody gets another's bytes", async () => {
  await using node = await startGateway({
    limits: { copyBuffer: 100_000, copyMemory: 300_000, copyPiece: 5000, smallFile: 10 },
  });
  const files = [1, 2, 3, 4, 5, 6].map((n) =>
    node.mirror.putFile({ filename: `n-${n}.whl`, bytes: someBytes(1_500_000 + n, n) }),
  );
  const rounds = files.flatMap((file) => [
    node.ask(urlOf(file)),
    node.ask(urlOf(file), { headers: { range: 'bytes=7-' } }),
  ]);
  const leavers = files.map((file) => {
    const { socket } = node.raw(get(urlOf(file)));
    let seen = 0;
    socket.on('data', (chunk: string) => {
      seen += chunk.length;
      if (seen > 200_000) socket.destroy();
    });
    return new Promise((resolve) => socket.once('close', resolve));
  });
  const answers = await Promise.all(rounds);
  await Promise.all(leavers);
  for (const [at, { body, broken }] of answers.entries()) {
    const n = Math.floor(at / 2) + 1;
    const expected = someBytes(1_500_000 + n, n).subarray(at % 2 === 0 ? 0 : 7);
    assert.equal(broken, undefined);
    assert.ok(body.equals(expected), `answer ${at}`);
  }
});

test('a client that takes a second for one buffer gives the big ones back', async () => {
  const clock = createFakeClock();
  const pool = createBufferPool({ bufferBytes: 1000, totalBytes: 4000 });
  const pending: (() => void)[] = [];
  const sizes: number[] = [];
  const response = Object.assign(
    new Writable({
      highWaterMark: 1,
      write(chunk: Buffer, _encoding, done) {
        sizes.push(chunk.length);
        pending.push(done);
      },
    }),
    { headersSent: false, socket: null },
  );
  const exchange = {
    response,
    signal: new AbortController().signal,
    sent: () => {},
  } as unknown as Exchange;
  const deps = { clock, pool, limits: { ...limits.gateway, copyPiece: 10, slowWrite: 1000 } };
  const sending = sendFile(
    deps,
    exchange,
    endless(10_000),
    { start: 0, end: 5000 },
    () => {},
    exchange.signal,
  );
  const step = async (ms: number): Promise<void> => {
    await settled(() => pending.length);
    await clock.advance(ms);
    pending.shift()?.();
    await settled(() => pending.length);
  };
  await step(10);
  assert.equal(pool.lent, 2);
  await step(1500);
  await step(10);
  await step(10);
  assert.equal(pool.lent, 0);
  assert.deepEqual(sizes.slice(0, 2), [1000, 1000]);
  assert.equal(sizes.at(-1), 10);
  response.destroy();
  await sending.catch(() => {});
  assert.equal(pool.lent, 0);
});

test('a pool lends a buffer to one taker at a time and no more than its bytes', () => {
  const pool = createBufferPool({ bufferBytes: 10, totalBytes: 35 });
  const lent = [pool.take(), pool.take(), pool.take()];
  assert.equal(new Set(lent).size, 3);
  assert.equal(pool.take(), undefined);
  const [first] = lent;
  assert.ok(first);
  pool.give(first);
  assert.equal(pool.take(), first);
});
