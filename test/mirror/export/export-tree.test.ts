/** A static mirror tree: what is in it, what a second run does, and what a kill leaves. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { UnavailableError } from '../../../src/core/errors.ts';
import { parseProjectName, type ProjectName } from '../../../src/core/project-name.ts';
import { readPageJson } from '../../../src/core/read-page-json.ts';
import type { ExportSource } from '../../../src/mirror/export/export-source.ts';
import { exportTree, type ExportOutcome } from '../../../src/mirror/export/export-tree.ts';

interface Shelf extends ExportSource {
  /** Files of each project: name and content. */
  readonly projects: Map<string, Map<string, string>>;
  /** Filenames that were fetched. */
  readonly fetched: string[];
  /** What happens when this is asked for, by project or filename. */
  readonly trouble: Map<string, () => void>;
  /** In the list of all. */
  listed: (name: string) => boolean;
  wrong: string | undefined;
}

const sha = (text: string): string => createHash('sha256').update(text).digest('hex');

function createShelf(projects: Record<string, Record<string, string>>): Shelf {
  const shelf: Shelf = {
    projects: new Map(
      Object.entries(projects).map(([name, files]) => [name, new Map(Object.entries(files))]),
    ),
    fetched: [],
    trouble: new Map(),
    listed: () => true,
    wrong: undefined,
    async *names() {
      shelf.trouble.get('')?.();
      for (const name of shelf.projects.keys()) if (shelf.listed(name)) yield parseProjectName(name);
    },
    async page(project) {
      shelf.trouble.get(project)?.();
      const files = shelf.projects.get(project);
      if (files === undefined) return 'absent';
      const page = {
        meta: { 'api-version': '1.4' },
        name: project,
        files: [...files].map(([filename, content]) => ({
          filename,
          url: `../../files/${sha(content)}/${filename}`,
          hashes: { sha256: sha(content) },
          size: content.length,
          provenance: 'https://pypi.test/integrity/x',
          ...(filename.endsWith('.whl') ? { 'core-metadata': true } : {}),
        })),
      };
      const url = `http://gateway.test/simple/${project}/`;
      return readPageJson(Buffer.from(JSON.stringify(page)), { url, project });
    },
    async file({ filename }) {
      shelf.trouble.get(filename)?.();
      shelf.fetched.push(filename);
      const content = [...shelf.projects.values()].flatMap((files) => files.get(filename) ?? [])[0] ?? '';
      const bytes = Buffer.from(shelf.wrong === filename ? content.replaceAll(/./g, 'x') : content);
      return (async function* () {
        yield bytes.subarray(0, 2);
        yield bytes.subarray(2);
      })();
    },
    async metadata({ filename }) {
      return filename.includes('nometa') ? undefined : Buffer.from(`Name: ${filename}\n`);
    },
    async [Symbol.asyncDispose]() {},
  };
  return shelf;
}

async function setUp(t: TestContext, projects: Record<string, Record<string, string>>) {
  const parent = await mkdtemp(join(tmpdir(), 'fondue-export-'));
  t.after(() => rm(parent, { recursive: true, force: true }));
  const dir = join(parent, 'mirror');
  const shelf = createShelf(projects);
  const run = (names?: string[]): Promise<ExportOutcome> =>
    exportTree(dir, shelf, { projects: names?.map((name) => parseProjectName(name)) });
  const text = (path: string): Promise<string> => readFile(join(dir, path), 'utf8');
  return { parent, dir, shelf, run, text };
}

/** Everything but what is ours. */
async function tree(dir: string): Promise<string[]> {
  const entries = await readdir(dir, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(dir.length + 1))
    .filter((path) => !path.startsWith('.fondue-export'))
    .sort();
}

const two = {
  foo: { 'foo-1.0-py3-none-any.whl': 'wheel one', 'foo-1.0+a b.tar.gz': 'sdist one' },
  bar: { 'bar-1.0-nometa-any.whl': 'wheel two' },
};
const wheel = `files/${sha('wheel one')}/foo-1.0-py3-none-any.whl`;
const sdist = `files/${sha('sdist one')}/foo-1.0+a b.tar.gz`;
const bar = `files/${sha('wheel two')}/bar-1.0-nometa-any.whl`;
const whole = [
  bar,
  wheel,
  `${wheel}.metadata`,
  sdist,
  'simple/bar/index.html',
  'simple/bar/index.json',
  'simple/foo/index.html',
  'simple/foo/index.json',
  'simple/index.html',
  'simple/index.json',
].sort();

test('the tree holds pages in both forms with relative links, files, and the metadata that there is', async (t) => {
  const { dir, run, text } = await setUp(t, two);
  const outcome = await run();
  assert.deepEqual(await tree(dir), whole);
  assert.deepEqual([outcome.projects, outcome.files, outcome.bytes, outcome.failures], [2, 3, 27, []]);
  const page = JSON.parse(await text('simple/foo/index.json')) as { files: Record<string, unknown>[] };
  assert.deepEqual(
    page.files.map(({ url, provenance }) => [url, provenance]),
    [
      [`../../${wheel}`, undefined],
      [`../../files/${sha('sdist one')}/foo-1.0%2Ba%20b.tar.gz`, undefined],
    ],
  );
  const metadata = sha('Name: foo-1.0-py3-none-any.whl\n');
  assert.deepEqual(page.files[0]?.['core-metadata'], { sha256: metadata });
  assert.match(await text('simple/foo/index.html'), new RegExp(`data-core-metadata="sha256=${metadata}"`));
  // A claim without a file behind it would be fatal to pip.
  assert.doesNotMatch(await text('simple/bar/index.html'), /core-metadata/);
  assert.match(await text('simple/index.html'), /<a href="bar\/">bar<\/a>\n<a href="foo\/">foo<\/a>/);
  assert.deepEqual(JSON.parse(await text('simple/index.json')), {
    meta: { 'api-version': '1.0' },
    projects: [{ name: 'bar' }, { name: 'foo' }],
  });
});

test('a second run fetches what is new only, and mends what is missing or was cut', async (t) => {
  const { dir, shelf, run } = await setUp(t, two);
  await run();
  shelf.fetched.length = 0;
  assert.deepEqual([(await run()).files, shelf.fetched], [0, []]);
  shelf.projects.get('foo')?.set('foo-2.0.tar.gz', 'sdist two');
  await rm(join(dir, bar));
  await writeFile(join(dir, sdist), 'sdis');
  const outcome = await run();
  assert.deepEqual(shelf.fetched.sort(), ['bar-1.0-nometa-any.whl', 'foo-1.0+a b.tar.gz', 'foo-2.0.tar.gz']);
  assert.equal(outcome.files, 3);
  assert.equal(await readFile(join(dir, sdist), 'utf8'), 'sdist one');
});

test('deletions are carried out: files, projects, and projects that nobody wants any more', async (t) => {
  const { dir, shelf, run, text } = await setUp(t, two);
  await run();
  shelf.projects.get('foo')?.delete('foo-1.0-py3-none-any.whl');
  shelf.projects.delete('bar');
  const outcome = await run();
  assert.deepEqual([outcome.removedProjects, outcome.removedFiles], [1, 2]);
  const left = [
    sdist,
    'simple/foo/index.html',
    'simple/foo/index.json',
    'simple/index.html',
    'simple/index.json',
  ];
  assert.deepEqual(await tree(dir), left.sort());
  assert.equal(existsSync(join(dir, 'files', sha('wheel one'))), false);
  assert.doesNotMatch(await text('simple/index.html'), /bar/);
  const none = await run(['baz']);
  assert.deepEqual([none.absent, none.removedProjects], [['baz'], 1]);
  assert.deepEqual(await tree(dir), ['simple/index.html', 'simple/index.json']);
});

test('a project that the list lacks goes only when its own page is absent; a list that breaks off deletes nothing', async (t) => {
  const { dir, shelf, run } = await setUp(t, two);
  await run();
  shelf.listed = (name) => name !== 'bar';
  // Quarantined: there, and without files.
  shelf.projects.get('bar')?.clear();
  await run();
  assert.ok((await tree(dir)).includes('simple/bar/index.json'));
  assert.ok(!(await tree(dir)).includes(bar));
  shelf.trouble.set('', () => {
    throw new UnavailableError('the list was cut');
  });
  const before = await tree(dir);
  await assert.rejects(run(), /the list was cut/);
  assert.deepEqual(await tree(dir), before);
});

test('a project that cannot be had now is told and stays as it was; the others go on', async (t) => {
  const { dir, shelf, run } = await setUp(t, two);
  await run();
  shelf.projects.get('foo')?.set('foo-2.0.tar.gz', 'sdist two');
  shelf.projects.get('bar')?.set('bar-2.0.tar.gz', 'bar two');
  shelf.trouble.set('foo-2.0.tar.gz', () => {
    throw new UnavailableError('not now');
  });
  const outcome = await run();
  assert.deepEqual(outcome.failures, ['foo: not now']);
  assert.equal(outcome.projects, 1);
  const page = await readFile(join(dir, 'simple/foo/index.json'), 'utf8');
  assert.doesNotMatch(page, /2\.0/);
  assert.match(await readFile(join(dir, 'simple/bar/index.json'), 'utf8'), /2\.0/);
});

test('bytes that do not fit their hash are not written', async (t) => {
  const { dir, shelf, run } = await setUp(t, two);
  shelf.wrong = 'foo-1.0+a b.tar.gz';
  const outcome = await run();
  assert.match(outcome.failures.join(), /^foo: .*was promised/);
  assert.ok(!(await tree(dir)).some((path) => path === sdist || path.startsWith('simple/foo')));
});

test('what a killed run meant to delete is deleted by the next, unless the page names it', async (t) => {
  const { dir, shelf, run } = await setUp(t, two);
  await run();
  // As after a kill between the page's change and the end of its deletions.
  const journals = join(dir, '.fondue-export/removing');
  await mkdir(journals, { recursive: true });
  const orphan = `files/${sha('gone')}/foo-0.9.tar.gz`;
  await mkdir(join(dir, 'files', sha('gone')), { recursive: true });
  await writeFile(join(dir, orphan), 'gone');
  await writeFile(join(dir, '..', 'outside'), 'mine');
  await writeFile(
    join(journals, 'foo'),
    JSON.stringify([orphan, wheel, '../outside', 'files/../../outside']),
  );
  shelf.fetched.length = 0;
  await run();
  assert.deepEqual(await tree(dir), whole);
  assert.equal(existsSync(join(dir, '..', 'outside')), true);
  assert.deepEqual([shelf.fetched, await readdir(journals)], [[], []]);
});

test('a folder with anything else in it is refused untouched, and so is one that another export writes to', async (t) => {
  const { dir, parent, shelf, run } = await setUp(t, two);
  await mkdir(dir);
  await writeFile(join(dir, 'thesis.tex'), 'precious');
  await assert.rejects(run(), /not empty and not an export/);
  assert.deepEqual(await readdir(dir), ['thesis.tex']);
  const other = join(parent, 'other');
  const begun = Promise.withResolvers<void>();
  const go = Promise.withResolvers<void>();
  const page = shelf.page;
  shelf.page = async (project: ProjectName) => {
    begun.resolve();
    await go.promise;
    return page(project);
  };
  const first = exportTree(other, shelf, { projects: undefined });
  await begun.promise;
  await assert.rejects(exportTree(other, shelf, { projects: undefined }), /another export/);
  go.resolve();
  assert.deepEqual((await first).failures, []);
});
