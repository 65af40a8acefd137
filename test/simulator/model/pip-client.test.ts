import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { test } from 'node:test';
import { parseDigest } from '../../../src/core/digest.ts';
import { parseProjectName } from '../../../src/core/project-name.ts';
import type { OpenAnswer, OpenedFile, ProjectAnswer } from '../../../src/mirror/mirror.ts';
import { fetchFile, fetchPage, type PipClientDeps } from '../../../src/simulator/model/pip-client.ts';
import { createFakeClock } from '../../support/fake-clock.ts';

const flask = parseProjectName('flask');
const content = Buffer.from('a release of flask');
const digest = parseDigest(hash('sha256', content));
const busy = { kind: 'unknown', reason: 'busy', retryAfterSeconds: 2 } as const;
const wanted = { filename: 'flask-1.0.tar.gz', sha256: digest };

function opened(read: OpenedFile['read']): OpenAnswer {
  return {
    kind: 'opened',
    file: { source: 'peer', read, [Symbol.asyncDispose]: async () => undefined } as unknown as OpenedFile,
  };
}

const whole = (bytes: Uint8Array): OpenAnswer =>
  opened(async (target, offset) => {
    const part = bytes.subarray(offset, offset + 7);
    target.set(part);
    return part.length;
  });

function client(mirror: Partial<PipClientDeps['mirror']>) {
  const clock = createFakeClock();
  const found: PipClientDeps['mirror']['findFile'] = async () => ({ kind: 'file', ref: {} as never });
  return { clock, deps: { clock, mirror: { findFile: found, ...mirror } as PipClientDeps['mirror'] } };
}

test('503 is tried five times more, as long apart as Retry-After says', async () => {
  const times: number[] = [];
  const { clock, deps } = client({
    async project(): Promise<ProjectAnswer> {
      times.push(clock.monotonic() / 1000);
      return busy;
    },
  });
  const page = fetchPage(deps, flask);
  await clock.advance(60_000);
  const { end } = await page;
  assert.deepEqual(times, [0, 2, 4, 6, 8, 10]);
  assert.equal(end.outcome, 'failed');
  assert.equal(end.reason, 'busy');
});

test('an answer that does not come is waited for 15 seconds, and asked for again after ever longer', async () => {
  const times: number[] = [];
  const { clock, deps } = client({
    project: (_, { signal } = {}) => {
      times.push(clock.monotonic() / 1000);
      return new Promise((_resolve, reject) =>
        signal?.addEventListener('abort', () => reject(signal.reason as Error), { once: true }),
      );
    },
  });
  const page = fetchPage(deps, flask);
  await clock.advance(200_000);
  assert.equal((await page).end.outcome, 'timeout');
  assert.deepEqual(times, [0, 15.25, 30.75, 46.75, 63.75, 82.75]);
});

test('the newest release is taken by its number, not by its name', async () => {
  const files = ['2.0', '10.0', '1.0'].map((version) => ({
    filename: `flask-${version}.tar.gz`,
    sha256: digest,
  }));
  const { deps } = client({
    project: async () =>
      ({
        kind: 'page',
        served: { page: { files } },
        ageSeconds: 1,
        source: 'disk',
      }) as unknown as ProjectAnswer,
  });
  assert.equal((await fetchPage(deps, flask)).newest?.filename, 'flask-10.0.tar.gz');
});

test('bytes that fit their hash are verified, others are wrong', async () => {
  const right = client({ openFile: async () => whole(content) });
  assert.deepEqual(await fetchFile(right.deps, wanted), {
    outcome: 'verified',
    bytes: content.length,
    source: 'peer',
    reason: undefined,
  });
  const bad = client({ openFile: async () => whole(Buffer.from('something else altogether')) });
  assert.equal((await fetchFile(bad.deps, wanted)).outcome, 'wrong');
});

test('a body that breaks off or falls silent is not tried again', async () => {
  let opens = 0;
  const broken = client({
    async openFile() {
      opens++;
      return opened(() => Promise.reject(new Error('reset')));
    },
  });
  assert.equal((await fetchFile(broken.deps, wanted)).outcome, 'failed');
  assert.equal(opens, 1);
  const { clock, deps } = client({ openFile: async () => opened(() => new Promise(() => undefined)) });
  const end = fetchFile(deps, wanted);
  await clock.advance(14_000);
  await clock.advance(1000);
  assert.equal((await end).outcome, 'timeout');
});

test('404 is told as it is', async () => {
  const { deps } = client({ findFile: async () => ({ kind: 'absent' }) });
  assert.equal((await fetchFile(deps, wanted)).outcome, 'absent');
});
