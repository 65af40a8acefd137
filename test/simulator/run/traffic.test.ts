import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Dials } from '../../../src/simulator/run/dials.ts';
import { Traffic } from '../../../src/simulator/run/traffic.ts';
import { second } from '../../support/simulator/events.ts';

test('bytes and messages by protocol, a live node and second; what connections carry besides is overhead', () => {
  const traffic = new Traffic();
  // Two nodes, four from 10 s on, none from 20 s to the end.
  const live = [
    { at: 0, value: 2 },
    { at: 10 * second, value: 4 },
    { at: 20 * second, value: 0 },
  ];
  traffic.sent(-1, '/fondue/blob/1.0.0', 1e6);
  traffic.wire(-1, 1e6);
  traffic.sent(1 * second, '/fondue/blob/1.0.0', 600);
  traffic.sent(2 * second, '/fondue/blob/1.0.0', 400);
  traffic.sent(11 * second, '/meshsub/1.2.0', 800);
  traffic.sent(12 * second, '/something/else', 40);
  traffic.wire(3 * second, 1200);
  traffic.wire(13 * second, 900);
  const series = traffic.series(30 * second, live);
  const values = (metric: string, group: string) =>
    series.find((one) => one.metric === metric && one.group === group)?.points.map(({ value }) => value);
  assert.deepEqual(values('bytes_sent', 'blob'), [50, 0, undefined]);
  assert.deepEqual(values('messages_sent', 'blob'), [0.1, 0, undefined]);
  assert.deepEqual(values('bytes_sent', 'gossip'), [0, 20, undefined]);
  assert.deepEqual(values('bytes_sent', 'other'), [0, 1, undefined]);
  assert.deepEqual(values('bytes_sent', 'overhead'), [10, 1.5, undefined]);
  const totals = traffic.counters().map(({ group, value }) => [group, value]);
  assert.deepEqual(totals, [
    ['blob', 1000],
    ['gossip', 800],
    ['other', 40],
    ['overhead', 260],
  ]);
  // Over 2 x 10 s + 4 x 10 s of live nodes.
  const means = traffic.means(30 * second, live).map(({ metric, group, value }) => [metric, group, value]);
  assert.deepEqual(means, [
    ['bytes_sent.mean', 'blob', 1000 / 60],
    ['bytes_sent.mean', 'gossip', 800 / 60],
    ['bytes_sent.mean', 'other', 40 / 60],
    ['bytes_sent.mean', 'overhead', 260 / 60],
    ['messages_sent.mean', 'blob', 2 / 60],
    ['messages_sent.mean', 'gossip', 1 / 60],
    ['messages_sent.mean', 'other', 1 / 60],
  ]);
  assert.deepEqual(traffic.means(30 * second, []), []);
});

test('what a stream handed over before the connection sent it is no overhead of either time', () => {
  const traffic = new Traffic();
  traffic.sent(9 * second, '/fondue/blob/1.0.0', 1000);
  traffic.wire(9 * second, 300);
  traffic.wire(11 * second, 800);
  const overhead = traffic
    .series(20 * second, [{ at: 0, value: 1 }])
    .find(({ group }) => group === 'overhead');
  assert.deepEqual(
    overhead?.points.map(({ value }) => value),
    [0, 10],
  );
});

test('dials a second are counted from the heal on, with their busiest ten seconds', () => {
  const dials = new Dials();
  for (const s of [-1, 99, 100, 101, 125, 126, 127, 129.9, 130, 160]) dials.observe(s * second);
  assert.deepEqual(
    dials.after('split', 100 * second, 60 * second).map(({ metric, value }) => [metric, value]),
    [
      ['dials_after(split)', 7 / 60],
      ['dials_after_peak(split)', 0.4],
    ],
  );
  assert.deepEqual(dials.after('split', 100 * second, 0), []);
  // None in a bin are none: the observer sees all of them.
  assert.deepEqual(
    dials
      .series(200 * second)
      .points.slice(8, 11)
      .map(({ value }) => value),
    [0, 0.1, 0.2],
  );
});
