/** On a Node that is too old the program and the scripts say so in one line, and what to do. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { delimiter, join } from 'node:path';
import { test } from 'node:test';

const root = new URL('../../', import.meta.url).pathname;

/** The machine's own Node, where it is older than ours: npm puts ours first. */
function findOldNode(): string | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/local/bin', '/usr/bin'];
  return folders
    .map((folder) => join(folder, 'node'))
    .find((path) => {
      try {
        const version = execFileSync(path, ['--version'], { encoding: 'utf8', stdio: 'pipe' });
        return Number(/^v(\d+)\./.exec(version)?.[1] ?? 24) < 24;
      } catch {
        return false;
      }
    });
}

const old = findOldNode();
for (const [script, cure] of [
  ['bin/fondue.js', /nodejs\.org/],
  ['scripts/require-node.js', /npm ci/],
] as const) {
  test(
    `${script} on an older Node is one line and exit code 1`,
    { skip: old === undefined && 'no Node older than 24 is on this machine' },
    () => {
      const { status, stdout, stderr } = spawnSync(old ?? '', [join(root, script), 'up'], {
        encoding: 'utf8',
        env: { ...process.env, NODE_OPTIONS: '' },
      });
      assert.deepEqual([status, stdout], [1, '']);
      assert.equal(stderr.trimEnd().split('\n').length, 1, stderr);
      assert.match(stderr, /Node/);
      assert.match(stderr, /\b24\b/);
      assert.match(stderr, cure);
    },
  );
}
