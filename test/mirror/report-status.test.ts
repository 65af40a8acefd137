/** Health: what is wrong now, not what was wrong once. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Digest } from '../../src/core/digest.ts';
import { createFactEmitter } from '../../src/core/facts.ts';
import {
  createStatusReporter,
  type StatusReporter,
  type StatusSources,
} from '../../src/mirror/report-status.ts';
import { createMemoryBlobStore } from '../../src/store/memory-blob-store.ts';
import { createMemoryCatalog } from '../../src/store/memory-catalog.ts';
import { createFakeClock, type FakeClock } from '../support/fake-clock.ts';
import { createScriptedPages } from './scripted-upstream.ts';

function setUp(): StatusReporter & Pick<StatusSources, 'facts'> & { clock: FakeClock } {
  const clock = createFakeClock();
  const facts = createFactEmitter();
  const reporter = createStatusReporter({
    clock,
    facts,
    store: createMemoryBlobStore({ clock, facts, quotaBytes: 1000 }),
    catalog: createMemoryCatalog(),
    upstream: createScriptedPages(),
    network: {
      peerId: '',
      multiaddrs: () => [],
      status: () => ({
        state: 'off',
        connections: 0,
        routingTable: 0,
        uploadedBytes: 0,
        providerRecords: 0,
        activeGets: 0,
        busyAnswers: 0,
        peers: [],
        banned: [],
      }),
    },
    version: '1.0.0',
    dataDir: '/d',
    mode: 'direct',
    process: () => ({ rssBytes: 0, eventLoopDelayP99Ms: 0 }),
  });
  return { ...reporter, clock, facts };
}

test('a full disk makes the health bad until something is stored, or nobody has found it full for a while', async () => {
  const { health, clock, facts } = setUp();
  assert.equal(health().ok, true);
  const message = 'the disk of /d is full';
  facts.emit('storage:full', { message });
  assert.equal(health().ok, false);
  assert.match(health().checks['store']?.message ?? '', /the disk of \/d is full/);
  const digest = '00'.repeat(32) as Digest;
  facts.emit('blob:added', { digest, size: 1, source: 'upstream', shareable: true });
  assert.equal(health().ok, true);

  facts.emit('storage:full', { message });
  await clock.advance(4 * 60_000);
  facts.emit('storage:full', { message });
  await clock.advance(4 * 60_000);
  assert.equal(health().ok, false, 'it was full four minutes ago');
  await clock.advance(2 * 60_000);
  assert.equal(health().ok, true);
});
