/** `/simple/` as the head believes it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { parseProjectName } from '../../../src/core/project-name.ts';
import { createProjectMatcher } from '../../../src/core/project-pattern.ts';
import { createBelievedList } from '../../../src/mirror/believed/believed-list.ts';
import type { ListForm } from '../../../src/mirror/list-renderings.ts';
import type { ProjectList } from '../../../src/mirror/project-list.ts';
import { createMemoryReplaceableFile } from '../../../src/store/replaceable-file.ts';
import { createFakeClock } from '../../support/fake-clock.ts';
import { createHeadDouble } from './believed-node.ts';

function setUp(allowOld = false) {
  const clock = createFakeClock();
  const head = createHeadDouble(clock);
  const file = createMemoryReplaceableFile();
  const forms = new Map<ListForm, ReturnType<typeof createMemoryReplaceableFile>>();
  const fileFor = (form: ListForm) => {
    const known = forms.get(form) ?? createMemoryReplaceableFile();
    forms.set(form, known);
    return known;
  };
  const isPrivate = createProjectMatcher(['acme-*']);
  const open = () => createBelievedList({ head, file, fileFor, clock, isPrivate }, { allowOld });
  const put = (...names: string[]): void => {
    head.list = names.map((name, at) => ({ name: parseProjectName(name), serial: at }));
    // Whatever the head believes of one name, it is another head.
    head.put(parseProjectName('other'), { kind: 'unknown', reason: '' });
  };
  return { clock, head, open, put };
}

type List = Extract<Awaited<ReturnType<ProjectList['projectList']>>, { kind: 'list' }>;

async function listOf(
  lists: ProjectList,
  format: 'json' | 'html' = 'json',
): Promise<List & { text: string }> {
  const answer = await lists.projectList(format);
  assert.ok(answer.kind === 'list');
  const list = answer;
  let text = '';
  for await (const chunk of list.body) text += Buffer.from(chunk).toString();
  return { ...list, text };
}

const namesIn = (text: string): string[] =>
  (JSON.parse(text) as { projects: { name: string }[] }).projects.map(({ name }) => name);

test('the list holds what is believed present, with serials, without private and retracted names, in both forms', async () => {
  const { head, open, put } = setUp();
  put('flask', 'acme-secret', 'evil', 'click');
  head.retract('evil');
  await using lists = open();
  const json = await listOf(lists);
  assert.deepEqual(JSON.parse(json.text), {
    meta: { 'api-version': '1.0', '_last-serial': 1000 },
    projects: [{ name: 'flask' }, { name: 'click', '_last-serial': 3 }],
  });
  assert.equal(json.serial, '1000');
  const html = await listOf(lists, 'html');
  assert.deepEqual(html.text.match(/href="[^"]+"/g), ['href="flask/"', 'href="click/"']);
  assert.equal(html.version, json.version);
  const zipped = await lists.projectList('json', { coding: 'gzip' });
  assert.ok(zipped.kind === 'list' && zipped.coding === 'gzip');
  const chunks: Uint8Array[] = [];
  for await (const chunk of zipped.body) chunks.push(chunk);
  assert.equal(gunzipSync(Buffer.concat(chunks)).toString(), json.text);
});

test('it is made once a head, and again at most once a minute; its age is that of the head it was made from', async () => {
  const { clock, head, open, put } = setUp();
  put('flask');
  let made = 0;
  const { names } = head;
  head.names = () => {
    made++;
    return names();
  };
  await using lists = open();
  const first = await listOf(lists);
  await listOf(lists);
  assert.equal(made, 1);
  await clock.advance(30_000);
  put('flask', 'click');
  head.observed = clock.now();
  const second = await listOf(lists);
  assert.deepEqual([second.version === first.version, second.ageSeconds, made], [true, 30, 1]);
  await clock.advance(30_000);
  const third = await listOf(lists);
  assert.deepEqual(namesIn(third.text), ['flask', 'click']);
  assert.deepEqual([third.version === first.version, third.ageSeconds], [false, 30]);
});

test('after a restart the kept list is served with its true age, and no list of another mode is', async () => {
  const { clock, head, open, put } = setUp();
  put('flask');
  {
    await using lists = open();
    await listOf(lists);
  }
  await clock.advance(60_000);
  head.names = () => {
    throw new Error('not made again: nothing has changed');
  };
  await using lists = open();
  const kept = await listOf(lists);
  assert.deepEqual([namesIn(kept.text), kept.ageSeconds, kept.serial], [['flask'], 60, '1000']);
});

test('a list made under another policy is served no more, at once and after a restart', async () => {
  const { clock, head, open, put } = setUp();
  let policy = 'one';
  head.policyId = () => policy;
  put('flask', 'click');
  {
    await using lists = open();
    await listOf(lists);
    policy = 'two';
    head.observed = undefined;
    assert.equal((await lists.projectList('json')).kind, 'unknown', 'nobody is believed yet');
    head.observed = clock.now();
    put('click');
    assert.deepEqual(namesIn((await listOf(lists)).text), ['click'], 'made anew without a pause');
  }
  policy = 'three';
  head.observed = undefined;
  await using lists = open();
  assert.equal((await lists.projectList('json')).kind, 'unknown');
});

test('a list under whose making the policy became another one is made again', async () => {
  const { head, open, put } = setUp();
  let policy = 'one';
  head.policyId = () => policy;
  put('flask');
  const { names } = head;
  head.names = async function* () {
    yield* names();
    policy = 'two';
  };
  await using lists = open();
  const first = await lists.projectList('json');
  assert.ok(first.kind === 'unknown' && /policy/.test(first.reason));
  head.names = names;
  put('click');
  assert.deepEqual(namesIn((await listOf(lists)).text), ['click']);
});

test('a list that breaks off replaces nothing; nothing believed yet is no empty list', async () => {
  const { clock, head, open, put } = setUp();
  head.observed = undefined;
  await using lists = open();
  assert.equal((await lists.projectList('json')).kind, 'unknown');
  head.observed = clock.now();
  put('flask', 'click');
  const whole = head.names;
  head.names = async function* () {
    yield { name: parseProjectName('flask'), serial: 1 };
    throw new Error('a bin cannot be read');
  };
  const broken = await lists.projectList('json');
  assert.ok(broken.kind === 'unknown' && /a bin cannot be read/.test(broken.reason));
  head.names = whole;
  await clock.advance(60_000);
  assert.deepEqual(namesIn((await listOf(lists)).text), ['flask', 'click']);
});

test('beyond ten minutes it is stale, beyond a day refused', async () => {
  const { clock, open, put } = setUp();
  put('flask');
  await using lists = open();
  await listOf(lists);
  await clock.advance(601_000);
  assert.equal((await listOf(lists)).stale, true);
  await clock.advance(24 * 3_600_000);
  assert.equal((await lists.projectList('json')).kind, 'unknown');
});
