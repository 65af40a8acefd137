/** An upstream that accepts and never answers costs a client with warm things next to nothing, and nobody gets a lie. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { type Answer, download, fileUrl, jsonPage, median } from '../support/download.ts';
import { eventually } from '../support/eventually.ts';
import { startFakePypi } from '../support/fake-pypi/fake-pypi.ts';
import { makeWheel } from '../support/fake-pypi/wheel.ts';
import { startNode } from '../support/node-process.ts';

/** What a moment of a shared machine may cost, in ms. */
const noise = 250;
const promised = 300;
const rounds = 15;

test('with an upstream that hangs, warm pages past their time and warm files come within 300 ms, also while 8 clients wait for uncached ones', async () => {
  const names = ['warm-a', 'warm-b', 'warm-c', 'warm-d', 'warm-e'];
  const warm = names.map((name, i) => makeWheel({ name, extraBytes: i % 2 === 0 ? 100_000 : 2_000_000 }));
  const cold = Array.from({ length: 8 }, (_, i) => makeWheel({ name: `cold-${i}`, extraBytes: 100_000 }));
  await using pypi = await startFakePypi({ files: [...warm, ...cold] });
  await using node = await startNode({ upstream: pypi.url, args: ['--page-ttl', '1s'] });
  const { gateway } = node.ready;
  const page = (name: string): Promise<Answer> => download(`${node.index}${name}/`, { headers: jsonPage });
  for (const file of warm) {
    assert.equal((await page(file.project)).status, 200);
    assert.equal((await download(fileUrl(gateway, file))).sha256, file.sha256);
  }
  // Known pages of files that are not held.
  for (const file of cold.slice(4)) assert.equal((await page(file.project)).status, 200);

  pypi.fault({}, { kind: 'hang' });
  pypi.clearRequests();
  await delay(1100); // The pages' time to live, and nothing else to wait for.

  const measure = async (when: string): Promise<void> => {
    const times: Record<'page' | 'file', number[]> = { page: [], file: [] };
    for (let i = 0; i < rounds; i++) {
      const file = warm[i % warm.length]!;
      const answers = { page: await page(file.project), file: await download(fileUrl(gateway, file)) };
      assert.equal(answers.page.status, 200, when);
      assert.equal(answers.page.headers['cache-control'], 'no-store', when);
      assert.ok(Number(answers.page.headers['age']) >= 1, when);
      assert.equal(answers.file.sha256, file.sha256, when);
      times.page.push(answers.page.ms);
      times.file.push(answers.file.ms);
    }
    const told = `${when}: ${JSON.stringify(times)}`;
    assert.ok(Math.max(...times.page) < promised + noise, told);
    assert.ok(Math.max(...times.file) < promised, told);
    assert.ok(median(times.page) < promised, told);
    assert.ok(median(times.file) < promised / 3, told);
  };
  await measure('alone');
  assert.ok(pypi.requestsFor('/simple/*').length > 0, 'the pages were asked for again');

  const leave = new AbortController();
  const { signal } = leave;
  const waiting = cold.flatMap((file) => [
    download(fileUrl(gateway, file), { signal }),
    download(`${node.index}never-seen-${file.project}/`, { headers: jsonPage, signal }),
  ]);
  let answered = 0;
  for (const answer of waiting) answer.then(() => answered++).catch(() => {});
  await eventually('uncached pages and files are asked for', () => pypi.active.now >= 8);
  await measure('while 16 clients wait');
  assert.equal(answered, 0, 'they still wait');
  leave.abort();
  await Promise.allSettled(waiting);
});

test('a client with nothing else is told 503 with Retry-After after its wait; another page comes once the upstream answers again', async () => {
  const files = [makeWheel({ name: 'patience' }), makeWheel({ name: 'other' })];
  await using pypi = await startFakePypi({ files });
  const heal = pypi.fault({}, { kind: 'hang' });
  await using node = await startNode({ upstream: pypi.url });
  const answer = await download(`${node.index}patience/`, { headers: jsonPage });
  assert.equal(answer.status, 503);
  assert.match(String(answer.headers['retry-after']), /^[1-9]\d?$/);
  assert.equal(answer.headers['cache-control'], 'no-store');
  assert.ok(answer.ms > 8000 && answer.ms < 15_000, `after ${answer.ms} ms`);
  assert.match(answer.body.toString(), /patience/);
  heal();
  assert.equal((await download(`${node.index}other/`, { headers: jsonPage })).status, 200);
});
