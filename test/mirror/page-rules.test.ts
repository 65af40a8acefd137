import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  compareSerials,
  judgeAbsence,
  judgePage,
  type KeptReading,
  type PageReading,
} from '../../src/mirror/page-rules.ts';

const HOUR = 3_600_000;
const now = 100 * HOUR;
const kept: KeptReading = {
  observedAt: now - HOUR,
  serial: '10',
  absentSince: undefined,
  content: 'a',
  fileCount: 1,
};
const answer: PageReading = { observedAt: now, serial: '11', content: 'b', format: 'json', fileCount: 1 };

test('a newer serial is taken, also in an answer that was cached before the last confirmation', () => {
  assert.equal(judgePage(kept, { ...answer, observedAt: now - 2 * HOUR }, now).kind, 'take');
});

test('an equal serial with other content is taken (archiving changes no serial), but not from an older answer', () => {
  assert.equal(judgePage(kept, { ...answer, serial: '10' }, now).kind, 'take');
  assert.equal(judgePage(kept, { ...answer, serial: '10', observedAt: now - 2 * HOUR }, now).kind, 'doubt');
});

test('without serials the time of the answer decides, but for the second that Age rounds away', () => {
  const plain = { ...answer, serial: undefined };
  assert.equal(judgePage(kept, { ...plain, observedAt: kept.observedAt - 1500 }, now).kind, 'take');
  assert.equal(judgePage(kept, { ...plain, observedAt: kept.observedAt - 3000 }, now).kind, 'doubt');
});

test('a page kept under a clock that ran ahead does not shut out all that comes', () => {
  const ahead = { ...kept, serial: undefined, observedAt: now + 1000 * HOUR };
  assert.equal(judgePage(ahead, answer, now).kind, 'take');
  assert.deepEqual(judgePage(ahead, { ...answer, content: 'a' }, now), { kind: 'confirm', observedAt: now });
});

test('a mark made under a clock that ran ahead is made anew', () => {
  const judgement = judgeAbsence({ ...kept, absentSince: now + HOUR }, now, now);
  assert.deepEqual(judgement, { kind: 'doubt', mark: 'absentSince', since: now });
});

test('a wall clock that jumps ahead is no waiting', () => {
  const marked = { ...kept, absentSince: now - HOUR, markedFor: 5000 };
  assert.equal(judgeAbsence(marked, now, now).kind, 'doubt');
  assert.equal(judgeAbsence({ ...marked, markedFor: 60_000 }, now, now).kind, 'take');
  assert.equal(judgeAbsence({ ...marked, markedFor: undefined }, now, now).kind, 'take');
});

test('serials are numbers, as text or not at all', () => {
  assert.equal(compareSerials('9', '10'), -1);
  assert.equal(compareSerials('10', '10'), 0);
  for (const odd of [undefined, '0', '-1', 'x', '99999999999999999'])
    assert.equal(compareSerials(odd, '1'), undefined);
});
