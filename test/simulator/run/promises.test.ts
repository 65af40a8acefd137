/** Each promise: a history that breaks it, and the nearest one that keeps it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Digest } from '../../../src/core/digest.ts';
import { parseProjectName } from '../../../src/core/project-name.ts';
import type { AttemptEnd, ModelEvent } from '../../../src/simulator/model/model-event.ts';
import { UpstreamIndex, type IndexFile } from '../../../src/simulator/model/upstream-index.ts';
import { Promises } from '../../../src/simulator/run/promises.ts';
import type { Invariant } from '../../../src/simulator/scenario/scenario.ts';

const second = 1e6;
const flask = parseProjectName('flask');

function create() {
  let now = 0;
  const index = new UpstreamIndex({ seed: 1, run: 0, now: () => now });
  const first = index.addFile(flask, 10);
  const disk = new Set<Digest>();
  const connected = { since: 0 as number | undefined };
  const promises = new Promises(index, {
    disks: () => disk,
    seenAfter: 10 * second,
    connectedSince: () => connected.since,
    isByzantine: (fault) => fault === 'liars',
  });
  index.onChange((change) => promises.observe(now, { kind: 'index-changed', change }));
  const tell = (s: number, event: ModelEvent): void => promises.observe(s * second, event);
  return {
    index,
    first,
    disk,
    connected,
    tell,
    change(s: number, work: () => void): void {
      now = s * second;
      work();
    },
    serves(s: number, version: { content: Digest; serial: number } | undefined, ageSeconds: number): void {
      tell(s, {
        kind: 'page-served',
        node: 1,
        project: flask,
        content: undefined,
        serial: undefined,
        ...version,
        ageSeconds,
      });
    },
    gives(s: number, digest: Digest, outcome: AttemptEnd['outcome']): void {
      const attempt = { id: 1, node: 1, incarnation: 0, what: 'file' as const, project: flask, digest };
      tell(s, {
        kind: 'attempt-ended',
        attempt,
        end: { outcome, bytes: 10, source: 'peer', reason: undefined },
      });
    },
    version: () => index.page(flask) as { content: Digest; serial: number },
    checks: (invariant: Invariant) => promises.checks(invariant),
    broken: (): Invariant[] => promises.violations.map(({ invariant }) => invariant),
  };
}

const other = '00'.repeat(32) as Digest;

test('wrong bytes are one, right ones are not', () => {
  const { gives, first, broken } = create();
  gives(1, first.digest, 'verified');
  assert.deepEqual(broken(), []);
  gives(2, first.digest, 'wrong');
  assert.deepEqual(broken(), ['wrong_bytes']);
});

test('a page that the upstream never had is unproven, and so is a file', () => {
  const { serves, gives, version, broken } = create();
  serves(1, version(), 1);
  assert.deepEqual(broken(), []);
  serves(2, { ...version(), content: other }, 2);
  gives(3, other, 'verified');
  assert.deepEqual(broken(), ['unproven_page', 'unproven_page']);
});

test('an age is understated when the page was no longer the upstream’s by then', () => {
  const { serves, change, version, index, broken } = create();
  const old = version();
  change(100, () => index.addFile(flask, 10));
  // Served at 160 it was seen at 100 at the latest. Ages are rounded up, never down.
  serves(160, old, 60);
  assert.deepEqual(broken(), []);
  serves(160, old, 59);
  assert.deepEqual(broken(), ['age_understated']);
});

test('a gateway that served a newer page must not serve an older one; another gateway may', () => {
  const { serves, change, version, index, tell, broken } = create();
  const old = version();
  change(100, () => index.addFile(flask, 10));
  serves(110, version(), 0);
  tell(115, { kind: 'page-served', node: 2, project: flask, ...old, ageSeconds: 115 });
  assert.deepEqual(broken(), []);
  serves(120, old, 120);
  assert.deepEqual(broken(), ['index_rollback']);
});

test('404 for a project or a file that is there is unfounded, for a removed file it is not', () => {
  const { serves, gives, change, index, first, broken } = create();
  change(10, () => index.removeFile(first));
  gives(20, first.digest, 'absent');
  assert.deepEqual(broken(), []);
  let file: IndexFile = first;
  change(30, () => (file = index.addFile(flask, 10)));
  gives(40, file.digest, 'absent');
  serves(50, undefined, 0);
  assert.deepEqual(broken(), ['unfounded_404', 'unfounded_404']);
});

test('a removed file may be served for two minutes after publishers saw it, and longer where none can be heard', () => {
  const { gives, change, index, first, connected, broken } = create();
  change(100, () => index.removeFile(first));
  gives(229, first.digest, 'verified');
  connected.since = undefined;
  gives(1000, first.digest, 'verified');
  connected.since = 950 * second;
  gives(1000, first.digest, 'verified');
  assert.deepEqual(broken(), []);
  connected.since = 0;
  gives(231, first.digest, 'verified');
  assert.deepEqual(broken(), ['removed_served']);
});

test('a blob that was acknowledged is there in the next life, unless it was evicted or the disk was lost', () => {
  const { tell, disk, first, broken } = create();
  const up = (s: number): void => tell(s, { kind: 'node-up', node: 1, incarnation: 1, peerId: 'p' });
  const fact = (s: number, name: 'blob:added' | 'blob:evicted'): void =>
    tell(s, { kind: 'fact', node: 1, name, fact: { digest: first.digest } as never });
  fact(1, 'blob:added');
  disk.add(first.digest);
  up(2);
  fact(3, 'blob:evicted');
  disk.clear();
  up(4);
  fact(5, 'blob:added');
  tell(6, { kind: 'node-wiped', node: 1 });
  up(7);
  assert.deepEqual(broken(), []);
  fact(8, 'blob:added');
  up(9);
  assert.deepEqual(broken(), ['lost_blob']);
});

test('nothing is promised of a liar’s gateway', () => {
  const { tell, gives, first, broken } = create();
  tell(1, { kind: 'fault-began', fault: 'liars', hosts: [1] });
  gives(2, first.digest, 'wrong');
  assert.deepEqual(broken(), []);
});

test('a gateway that lost its disk may begin anew with an older page', () => {
  const { serves, change, version, index, tell, broken } = create();
  const old = version();
  change(100, () => index.addFile(flask, 10));
  serves(110, version(), 0);
  tell(115, { kind: 'node-wiped', node: 1 });
  serves(120, old, 120);
  assert.deepEqual(broken(), []);
  serves(130, version(), 0);
  serves(140, old, 140);
  assert.deepEqual(broken(), ['index_rollback']);
});

test('how often a promise was put to the test is counted: only by what could have broken it', () => {
  const { serves, gives, change, version, index, first, connected, checks } = create();
  const all = () =>
    (
      [
        'wrong_bytes',
        'index_rollback',
        'age_understated',
        'unfounded_404',
        'unproven_page',
        'removed_served',
      ] as const
    ).map(checks);
  gives(1, first.digest, 'failed');
  assert.deepEqual(all(), [0, 0, 0, 0, 0, 0]);
  gives(2, first.digest, 'verified');
  assert.deepEqual(all(), [1, 0, 0, 1, 1, 0]);
  serves(3, version(), 3);
  assert.deepEqual(all(), [1, 0, 1, 2, 2, 0]);
  serves(4, version(), 4);
  assert.deepEqual(all(), [1, 1, 2, 3, 3, 0]);
  change(100, () => index.removeFile(first));
  connected.since = undefined;
  gives(110, first.digest, 'verified');
  assert.equal(checks('removed_served'), 0);
  connected.since = 0;
  gives(110, first.digest, 'verified');
  assert.equal(checks('removed_served'), 1);
});
