/** A fake PyPI and an upstream that reads it, by the machine's clock unless a test brings another. */
import assert from 'node:assert/strict';
import type { Clock } from '../../src/core/clock.ts';
import { UpstreamError } from '../../src/core/errors.ts';
import { parseProjectName } from '../../src/core/project-name.ts';
import { systemClock, systemRandomness } from '../../src/system-clock.ts';
import { createPypiUpstream, type PypiUpstreamOptions } from '../../src/upstream/pypi.ts';
import type { FileAnswer, PageAnswer, Upstream } from '../../src/upstream/upstream.ts';
import { createFakeClock, type FakeClock } from '../support/fake-clock.ts';
import { type FakePypi, type FakePypiOptions, startFakePypi } from '../support/fake-pypi/fake-pypi.ts';
import { type FakeFile, makeWheel } from '../support/fake-pypi/wheel.ts';

export const thing = parseProjectName('thing');
export const wheel: FakeFile = makeWheel({ name: 'thing', version: '1.0', extraBytes: 200_000 });
export const USER_AGENT = 'fondue-mirror/0.0.0 (test)';

export interface PypiContext extends AsyncDisposable {
  readonly pypi: FakePypi;
  readonly upstream: Upstream;
  /** Of `wheel`. */
  readonly url: string;
}

export async function startPypi(
  options: FakePypiOptions & { clock?: Clock; upstream?: Partial<PypiUpstreamOptions> } = {},
): Promise<PypiContext> {
  const { clock = systemClock, upstream: own, ...fake } = options;
  const pypi = await startFakePypi({ files: [wheel], ...fake });
  const upstream = createPypiUpstream({
    url: pypi.url,
    userAgent: USER_AGENT,
    clock,
    randomness: systemRandomness,
    ...own,
    limits: { retryDelay: 10, ...own?.limits },
  });
  return {
    pypi,
    upstream,
    url: pypi.fileUrl(wheel),
    async [Symbol.asyncDispose]() {
      await upstream[Symbol.asyncDispose]();
      await pypi.close();
    },
  };
}

export type Page = Extract<PageAnswer, { kind: 'page' }>;

export async function goodPage(upstream: Upstream, project = thing): Promise<Page> {
  const answer = await upstream.page(project);
  assert.equal(answer.kind, 'page');
  return answer;
}

export async function bytesOf(body: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return Buffer.concat(chunks);
}

export async function goodFile(
  answer: Promise<FileAnswer | undefined>,
): Promise<FileAnswer & { bytes: Buffer }> {
  const file = await answer;
  assert.ok(file);
  return { ...file, bytes: await bytesOf(file.body) };
}

/** The upstream's error, and nothing else; with this status where one is given. */
export async function upstreamError(work: Promise<unknown>, message?: RegExp): Promise<UpstreamError> {
  const error = await work.then(
    () => assert.fail('no error came'),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof UpstreamError, String(error));
  if (message) assert.match(error.message, message);
  return error;
}

/** Lets events pass until it is so. */
export async function until(condition: () => boolean): Promise<void> {
  const began = performance.now();
  while (!condition()) {
    if (performance.now() - began > 5000) throw new Error(`waited in vain for ${condition.toString()}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** A fake clock that tells which timers were set, in ms: what is waited for. */
export function createWatchedClock(): FakeClock & { readonly waits: number[] } {
  const clock = createFakeClock();
  const waits: number[] = [];
  return Object.assign(Object.create(clock) as FakeClock, {
    waits,
    setTimer(callback: () => void, ms: number) {
      waits.push(ms);
      return clock.setTimer(callback, ms);
    },
  });
}
