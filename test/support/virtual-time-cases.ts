/** What is tried under virtual time; imported after the globals were replaced, as the code of a node is. */
import crypto, {
  createHash,
  randomBytes,
  randomFillSync,
  randomInt,
  randomUUID,
  sign,
  generateKeyPair,
} from 'node:crypto';
import fs from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import net from 'node:net';
import { performance as hooksPerformance, monitorEventLoopDelay } from 'node:perf_hooks';
import * as timers from 'node:timers';
import { setTimeout as sleep, setInterval as ticks, scheduler } from 'node:timers/promises';
import { promisify } from 'node:util';
import { Worker } from 'node:worker_threads';
import zlib from 'node:zlib';
import createPeerLock from '../../src/simulator/nodes/peer-lock.ts';
import type { Kernel } from '../../src/simulator/kernel/kernel.ts';
import type { Owner } from '../../src/simulator/kernel/owner.ts';
import { offThreadCalls } from './off-thread-calls.ts';

interface Case {
  (world: {
    kernel: Kernel;
    node: (number: number) => Owner;
    seen: Record<string, unknown>;
  }): Promise<unknown>;
}

const require = createRequire(import.meta.url);

export const offThreadCases: Record<string, () => unknown> = {
  subtle: () => globalThis.crypto.subtle.digest('SHA-256', new Uint8Array(1)),
  'generateKeyPair(callback)': () => generateKeyPair('ed25519', {}, () => {}),
  'randomBytes(callback)': () => randomBytes(1, () => {}),
  'async gzip': () => zlib.gzip(Buffer.alloc(10), () => {}),
  'fs.readFile': () => fs.readFile('/dev/null', () => {}),
  'fs/promises': () => readFile('/dev/null'),
  worker: () => new Worker('', { eval: true }),
  'net.connect': () => net.connect(1),
  fetch: () => fetch('http://127.0.0.1:1'),
  monitorEventLoopDelay: () => monitorEventLoopDelay(),
  generateKeyPairSync: () => crypto.generateKeyPairSync('ed25519'),
};

export const cases: Record<string, Case> = {
  async clocks({ kernel, node, seen }) {
    const read = (): Record<string, unknown> => ({
      'Date.now': Date.now(),
      'new Date': new Date().getTime(),
      'Date()': Date() === new Date(Date.now()).toString(),
      'date of a value': [new Date(5).getTime(), new Date(2020, 1, 2) instanceof Date, Date.UTC(1970, 0, 1)],
      'performance.now': performance.now(),
      perf_hooks: hooksPerformance.now(),
      'performance.mark': performance.mark('x').startTime,
      timeOrigin: performance.timeOrigin,
      'Event.timeStamp': new Event('x').timeStamp,
      hrtime: process.hrtime(),
      'hrtime.bigint': String(process.hrtime.bigint()),
      'hrtime since': process.hrtime([1, 0]),
      uptime: process.uptime(),
      'a format of no date': new Intl.DateTimeFormat('en', {
        timeZone: 'UTC',
        minute: '2-digit',
        second: '2-digit',
      }).format(),
      'its parts': new Intl.DateTimeFormat('en', { timeZone: 'UTC', year: 'numeric' }).formatToParts()[0]
        ?.value,
    });
    const skewed = node(2);
    skewed.skew = -5000;
    await kernel.perform(node(1), async () => {
      await new Promise((resolve) => setTimeout(resolve, 1500));
      seen['clocks'] = read();
    });
    await kernel.perform(skewed, async () => (seen['skewed'] = Date.now()));
  },

  async timers({ kernel, node, seen }) {
    const order: [string, number, number][] = [];
    const note = (name: string): void => void order.push([name, kernel.now / 1000, kernel.current.node]);
    await kernel.perform(node(5), async () => {
      setTimeout(() => note('setTimeout'), 10);
      setTimeout((a: string, b: number) => note(`${a}${b}`), 11, 'arguments', 2);
      setTimeout(() => note('at once is 1 ms'), 0);
      setTimeout(() => note('too long is 1 ms'), 2 ** 31);
      timers.setTimeout(() => note('node:timers'), 12);
      (require('timers') as typeof timers).setTimeout(() => note('require'), 13);
      setImmediate(() => note('setImmediate'));
      clearTimeout(setTimeout(() => note('cleared'), 14));
      clearTimeout(Number(setTimeout(() => note('cleared by number'), 14)));
      clearImmediate(setImmediate(() => note('cleared immediate')));
      const refreshed = setTimeout(() => note('refreshed'), 20).unref();
      setTimeout(() => refreshed.refresh(), 15);
      let rounds = 0;
      const interval = setInterval(() => {
        note('interval');
        if (++rounds === 2) clearInterval(interval);
      }, 100);
      void sleep(30).then(() => note('timers/promises'));
      void promisify(setTimeout)(31).then(() => note('promisified'));
      void scheduler.wait(32).then(() => note('scheduler'));
      void sleep(33, undefined, { signal: AbortSignal.timeout(5) }).catch((error: Error) => note(error.name));
      const signal = AbortSignal.timeout(40);
      signal.addEventListener('abort', () => note((signal.reason as Error).name));
      const any = AbortSignal.any([AbortSignal.timeout(41)]);
      any.addEventListener('abort', () => note('any'));
      let n = 0;
      for await (const _ of ticks(1000)) if (++n === 2) break;
      note('ticks');
    });
    seen['order'] = order;
  },

  async randomness({ kernel, node, seen }) {
    const read = (): unknown => [
      Math.random(),
      randomBytes(4).toString('hex'),
      randomFillSync(Buffer.alloc(4)).toString('hex'),
      randomInt(1000),
      randomUUID(),
      globalThis.crypto.randomUUID(),
      Buffer.from(globalThis.crypto.getRandomValues(new Uint8Array(4))).toString('hex'),
      Buffer.from(crypto.webcrypto.getRandomValues(new Uint8Array(4))).toString('hex'),
      Buffer.from(crypto.getRandomValues(new Uint8Array(4))).toString('hex'),
    ];
    await kernel.perform(node(1), async () => (seen['one'] = read()));
    await kernel.perform(node(2), async () => (seen['two'] = read()));
  },

  async 'work that is done when the call returns'({ kernel, node, seen }) {
    const { privateKey } = keyOf();
    await kernel.perform(node(1), async () => {
      zlib.gunzipSync(zlib.gzipSync(Buffer.alloc(1000)));
      const gzip = zlib.createGzip({ level: 9 });
      gzip.write('in ');
      gzip.end('line');
      const parts: Uint8Array[] = [];
      for await (const part of gzip.pipe(zlib.createGunzip())) parts.push(part as Uint8Array);
      seen['gzip'] = [Buffer.concat(parts).toString(), kernel.now];
      createHash('sha256').update('x').digest();
      sign(null, Buffer.from('x'), privateKey);
      crypto.hkdfSync('sha256', 'a', 'b', 'c', 16);
      fs.readFileSync('/dev/null');
      await import('./eventually.ts');
      await new Promise((resolve) => setTimeout(resolve, 1));
      seen['done'] = true;
    });
  },

  async 'an unknown handle'({ kernel, node }) {
    const { Pipe, constants } = (
      process as unknown as {
        binding(name: string): { Pipe: new (kind: number) => object; constants: { SOCKET: number } };
      }
    ).binding('pipe_wrap');
    await kernel.perform(node(6), async () => void new Pipe(constants.SOCKET));
  },

  async 'an unhandled rejection'({ kernel, node }) {
    await kernel.perform(node(6), async () => void Promise.reject(new Error('left alone')));
  },

  async locks({ kernel, node, seen }) {
    const order: [string, number, number][] = [];
    const lock = createPeerLock();
    const note = (name: string): void => void order.push([name, kernel.now / 1000, kernel.current.node]);
    const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
    const hold = async (name: string, kind: 'readLock' | 'writeLock', ms: number): Promise<void> => {
      const release = await lock[kind]();
      note(name);
      await wait(ms);
      release();
      release();
    };
    const stop = new AbortController();
    await kernel.perform(node(1), async () => {
      const holders = [
        hold('reader', 'readLock', 10),
        hold('reader beside it', 'readLock', 4),
        hold('writer', 'writeLock', 5),
        hold('writer after it', 'writeLock', 2),
        hold('reader after them', 'readLock', 0),
      ];
      const refused = lock.writeLock({ signal: stop.signal }).catch((error: Error) => note(error.name));
      setTimeout(() => stop.abort(), 7);
      await Promise.all([...holders, refused]);
      await wait(10);
      await hold('much later', 'writeLock', 1);
      await hold('at once after a writer', 'writeLock', 0);
    });
    seen['order'] = order;
    seen['left'] = kernel.pending;
  },

  async 'the same signatures again'({ kernel, node, seen }) {
    await kernel.perform(node(1), async () => {
      const { privateKey } = keyOf();
      const publicKey = crypto.createPublicKey(privateKey);
      const jwk = { format: 'jwk' as const, key: publicKey.export({ format: 'jwk' }) };
      const text = Buffer.from('said once');
      const first = sign(null, text, privateKey);
      const again = sign(null, text, keyOf().privateKey);
      const whole = Buffer.from(again);
      again.fill(0);
      const third = sign(null, text, keyOf().privateKey);
      const check = (data: Uint8Array, signature: Uint8Array): boolean =>
        crypto.verify(null, data, crypto.createPublicKey(jwk), signature);
      const wrong = Buffer.from(first);
      wrong[5] = (wrong[5] as number) ^ 1;
      seen['same'] = [first.equals(whole), first.equals(third)];
      seen['checks'] = [check(text, first), check(text, first), check(text, wrong), check(text, wrong)];
      seen['other text'] = [check(Buffer.from('said twice'), first), check(text, first)];
      const other = crypto.createPrivateKey({
        key: Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), Buffer.alloc(32, 8)]),
        format: 'der',
        type: 'pkcs8',
      });
      seen['other key'] = check(text, sign(null, text, other));
    });
  },

  async 'cleared timers'({ kernel, node, seen }) {
    await kernel.perform(node(1), async () => {
      for (let i = 0; i < 100_000; i++) clearTimeout(setTimeout(() => {}, 1e6));
      for (let i = 0; i < 10; i++) setTimeout(() => {}, 1e8);
      seen['pending'] = kernel.pending;
    });
  },

  async signals({ kernel, node, seen }) {
    const collect = globalThis.gc as () => void;
    const heard: string[] = [];
    await kernel.perform(node(1), async () => {
      collect();
      const before = process.memoryUsage().heapUsed;
      const listener = (): void => {};
      // Apart, so that nothing here holds the last one.
      await (async () => {
        for (let i = 0; i < 100_000; i++) {
          const signal = AbortSignal.timeout(60_000);
          signal.addEventListener('abort', listener);
          signal.removeEventListener('abort', listener);
        }
        AbortSignal.timeout(1000).addEventListener('abort', () => heard.push('own listener'));
        // oxlint-disable-next-line unicorn/prefer-add-event-listener -- the other way to listen
        AbortSignal.timeout(1001).onabort = () => heard.push('onabort');
        AbortSignal.any([AbortSignal.timeout(1002)]).addEventListener('abort', () => heard.push('any'));
      })();
      await new Promise((resolve) => setTimeout(resolve, 1));
      collect();
      seen['heldBytes'] = process.memoryUsage().heapUsed - before;
      await new Promise((resolve) => setTimeout(resolve, 100_000));
      seen['heard'] = heard;
    });
  },

  async 'every other way off the thread'({ kernel, node, seen }) {
    await kernel.perform(node(9), async () => {
      for (const [name, call] of Object.entries(offThreadCalls)) {
        try {
          await call();
          seen[name] = 'allowed';
        } catch (error) {
          seen[name] = (error as Error).message;
        }
      }
    });
  },

  ...Object.fromEntries(
    Object.entries(offThreadCases).map(([name, call]): [string, Case] => [
      name,
      ({ kernel, node }) => kernel.perform(node(9), async () => void (await call())),
    ]),
  ),
};

function keyOf(): { privateKey: crypto.KeyObject } {
  const prefix = Buffer.from('302e020100300506032b657004220420', 'hex');
  return {
    privateKey: crypto.createPrivateKey({
      key: Buffer.concat([prefix, Buffer.alloc(32, 7)]),
      format: 'der',
      type: 'pkcs8',
    }),
  };
}
