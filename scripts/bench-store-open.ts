/**
 * How long the store takes to open with many blobs: `node scripts/bench-store-open.ts [COUNT] [FOLDER]` (100,000 in a
 * temporary folder). Without a catalog first (every blob is found on disk), then with it, then after an unclean end.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { createFactEmitter } from '../src/core/facts.ts';
import type { Digest } from '../src/core/digest.ts';
import { blobLayout } from '../src/store/blob-layout.ts';
import { openDiskBlobStore } from '../src/store/disk-blob-store.ts';
import { openLevel } from '../src/store/open-level.ts';
import { systemClock as clock } from '../src/system-clock.ts';

const count = Number(process.argv[2] ?? 100_000);
const dataDir = process.argv[3] ?? mkdtempSync(join(tmpdir(), 'fondue-bench-'));
setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

const layout = blobLayout(dataDir);
for (let i = 0; i < count; i++) {
  const bytes = `blob ${i}`;
  const digest = createHash('sha256').update(bytes).digest('hex') as Digest;
  mkdirSync(layout.folder(digest, 'public'), { recursive: true });
  writeFileSync(layout.blob(digest, 'public'), bytes);
}

const rows: Record<string, object> = {};
for (const round of ['no catalog', 'with catalog', 'again']) {
  collect();
  const before = process.memoryUsage();
  const cpu = process.cpuUsage();
  const started = performance.now();
  const facts = createFactEmitter();
  const db = await openLevel(join(dataDir, 'catalog'), { clock, facts });
  const dbOpen = performance.now();
  const store = await openDiskBlobStore({ dataDir, db, clock, facts, quotaBytes: 1e12 });
  const opened = performance.now();
  const used = process.cpuUsage(cpu);
  collect();
  const after = process.memoryUsage();
  rows[round] = {
    blobs: store.totals().blobs,
    'level ms': Math.round(dbOpen - started),
    'store ms': Math.round(opened - dbOpen),
    'CPU ms': Math.round((used.user + used.system) / 1000),
    'MB kept': ((after.arrayBuffers + after.heapUsed - before.arrayBuffers - before.heapUsed) / 1e6).toFixed(
      1,
    ),
    'MB resident': Math.round(after.rss / 1e6),
  };
  await store[Symbol.asyncDispose]();
  await db[Symbol.asyncDispose]();
}
console.table(rows);
if (process.argv[3] === undefined) rmSync(dataDir, { recursive: true });
