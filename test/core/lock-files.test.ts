import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ConfigurationError } from '../../src/core/errors.ts';
import { readLockFile, readRequirement } from '../../src/core/lock-files.ts';

const sha = (seed: number): string => seed.toString(16).padStart(64, '0');

test('uv.lock: every wheel and sdist of a registry by digest; the project itself and git are left out', () => {
  const { wanted, notes } = readLockFile(
    'uv.lock',
    `version = 1
requires-python = ">=3.11"

[[package]]
name = "app"
version = "0.1.0"
source = { virtual = "." }

[[package]]
name = "click"
version = "8.1.7"
source = { registry = "https://pypi.org/simple" }
sdist = { url = "https://files.pythonhosted.org/packages/96/d3/click-8.1.7.tar.gz", hash = "sha256:${sha(1)}", size = 336121 }
wheels = [
    { url = "https://files.pythonhosted.org/packages/00/2e/click-8.1.7-py3-none-any.whl", hash = "sha256:${sha(2)}", size = 97941 },
]

[[package]]
name = "fork"
version = "1.0"
source = { git = "https://example.org/fork?rev=main#abc" }
`,
  );
  assert.deepEqual(wanted, [
    { kind: 'file', digest: sha(2), filename: 'click-8.1.7-py3-none-any.whl' },
    { kind: 'file', digest: sha(1), filename: 'click-8.1.7.tar.gz' },
  ]);
  assert.deepEqual(notes, ['fork: comes from no index and is left out']);
});

test('pylock.toml: names from `name`, else from the url; markers are ignored with a note', () => {
  const { wanted, notes } = readLockFile(
    'pylock.dev.toml',
    `lock-version = "1.0"
created-by = "pip"

[[packages]]
name = "attrs"
version = "25.1.0"
marker = "python_version > '3.8'"
wheels = [
  {name = "attrs-25.1.0-py3-none-any.whl", url = "https://x/a", hashes = {sha256 = "${sha(3)}"}},
]
[packages.sdist]
url = "http://127.0.0.1:8381/files/${sha(4)}/attrs%2D25.1.0.tar.gz"
hashes = {sha256 = "${sha(4).toUpperCase()}"}

[[packages]]
name = "old"
version = "1"
archive = {url = "https://x/old.zip", hashes = {md5 = "00"}}
[[packages]]
name = "here"
directory = {path = "."}
`,
  );
  assert.deepEqual(wanted, [
    { kind: 'file', digest: sha(3), filename: 'attrs-25.1.0-py3-none-any.whl' },
    { kind: 'file', digest: sha(4), filename: 'attrs-25.1.0.tar.gz' },
  ]);
  assert.deepEqual(notes, [
    'environment markers are ignored: files for all platforms are taken',
    'old: old.zip has no sha256 and is left out',
    'here: comes from no index and is left out',
  ]);
});

test('poetry.lock and pdm.lock: the files of each package, of the old layout too', () => {
  const file = `{file = "click-8.1.7.whl", hash = "sha256:${sha(5)}"}`;
  const expected = [{ kind: 'file', digest: sha(5), filename: 'click-8.1.7.whl' }];
  const now = `[[package]]\nname = "click"\nversion = "8.1.7"\nfiles = [${file}]\n`;
  assert.deepEqual(readLockFile('poetry.lock', now).wanted, expected);
  const old = `[[package]]\nname = "click"\nversion = "8.1.7"\n[metadata.files]\nclick = [${file}]\n`;
  assert.deepEqual(readLockFile('poetry.lock', old).wanted, expected);
});

test('requirements: hashes, continued lines, comments, extras, markers; what names no file is noted', () => {
  const { wanted, notes } = readLockFile(
    'requirements.txt',
    [
      '\uFEFF# made by pip-compile',
      '-r base.txt',
      '--index-url https://example.org',
      'Flask[async]==3.1.0 \\',
      `    --hash=sha256:${sha(6)} \\`,
      `    --hash=sha256:${sha(7)}`,
      "click == 8.1.7 ; python_version >= '3.8'  # pinned",
      'jinja2>=3',
      'numpy==1.*',
      'app @ https://example.org/app.whl',
      './local',
      '!!!',
      'werkzeug',
    ].join('\r\n'),
  );
  assert.deepEqual(wanted, [
    { kind: 'release', project: 'flask', version: '3.1.0', digests: [sha(6), sha(7)] },
    { kind: 'release', project: 'click', version: '8.1.7', digests: [] },
    { kind: 'release', project: 'werkzeug', version: undefined, digests: [] },
  ]);
  assert.equal(notes.length, 8);
  assert.ok(notes.includes('line 8: jinja2>=3: is not pinned with == and is left out'), notes.join('\n'));
  assert.ok(notes.some((note) => note.startsWith('line 12: !!!')));
});

test('one specifier: a name, a pin, or an error that says what to give', () => {
  assert.deepEqual(readRequirement('Flask==3.1'), {
    kind: 'release',
    project: 'flask',
    version: '3.1',
    digests: [],
  });
  assert.deepEqual(readRequirement('flask'), {
    kind: 'release',
    project: 'flask',
    version: undefined,
    digests: [],
  });
  for (const bad of ['flask>=3', '../etc/passwd', 'flask==', '', '-r x', 'flask==not a version']) {
    assert.throws(
      () => readRequirement(bad),
      (error: ConfigurationError) => error.fault === 'usage' && /SHA-256/.test(error.fix),
      bad,
    );
  }
});

test('an error about one specifier speaks of it, and of nothing that goes on without it', () => {
  assert.throws(() => readRequirement('foo=1.0'), { message: '"foo=1.0" is not pinned with ==' });
});

test('what is no lock file, or broken, is an error with its place', () => {
  assert.throws(() => readLockFile('uv.lock', 'version = 1\n[[package]\n'), /uv\.lock, line 2/);
  assert.throws(() => readLockFile('pyproject.toml', '[project]\nname = "x"\n'), /not a lock file/);
});

test('whatever the text, reading ends with wanted files, notes, or an error of usage', () => {
  const line = fc.oneof(
    fc.string(),
    fc.constantFrom(
      'a==1',
      'a==1 \\',
      '--hash=sha256:00',
      '[[package]]',
      'name = 1',
      'files = 3',
      'wheels = [1]',
      '#',
    ),
  );
  fc.assert(
    fc.property(fc.constantFrom('uv.lock', 'r.txt'), fc.array(line), (name, lines) => {
      try {
        readLockFile(name, lines.join('\n'));
      } catch (error) {
        assert.ok(error instanceof ConfigurationError, String(error));
      }
    }),
  );
});
