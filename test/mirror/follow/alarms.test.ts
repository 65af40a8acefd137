import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createFactEmitter } from '../../../src/core/facts.ts';
import { Alarms, TakeRecord, type TakeRecordDeps } from '../../../src/mirror/follow/take-record.ts';

test('an alarm about the clock is told once, shown while it lasts, and told again when it comes again', () => {
  const facts = createFactEmitter();
  const told: string[] = [];
  facts.on('index:alarmed', ({ message }) => void told.push(message));
  const alarms = new Alarms(facts);
  const taking = new TakeRecord({ alarms, k: 2 } as unknown as TakeRecordDeps);
  for (const verdict of ['behind', 'behind'] as const) taking.checkClock(verdict);
  assert.match(alarms.list().join(), /^2 publishers are ahead/);
  taking.checkClock('set-back');
  assert.match(alarms.list().join(), /^this machine's clock was set back/);
  taking.checkClock('plausible');
  assert.deepEqual(alarms.list(), []);
  taking.checkClock('behind');
  assert.deepEqual(
    told.map((message) => message.split(' ')[0]),
    ['2', 'this', '2'],
  );
});
