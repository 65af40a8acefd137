import assert from 'node:assert/strict';
import { test } from 'node:test';
import { axisTitle, metricLabel, metricTitle } from '../../../src/simulator/results/sweep-words.ts';

test('metrics are called by words, with their cut, side and statistic', () => {
  assert.equal(metricTitle('reconverge(split).p50'), 'time to reconverge after split, median');
  assert.equal(
    metricTitle('lookup_all(split)[region:eu]'),
    'look-ups that succeed during split, on the side of region:eu',
  );
  assert.equal(
    metricTitle('lookup_all(split)[fraction:0.3]'),
    'look-ups that succeed during split, on the side of fraction:0.3',
  );
  assert.equal(metricTitle('availability.mean'), 'files available, mean over the run');
  assert.equal(metricTitle('packets_cut.total'), 'packets cut, total');
});

test('beside an axis stands what its numbers are', () => {
  assert.equal(metricLabel('reconverge_topology(a (b)).p99'), 'time until the graph is whole');
  assert.equal(metricLabel('reconverge(split).failed_share'), 'share that never did');
});

test('what is varied is called by words, faults by their names; an unknown pointer by its own', () => {
  const scenario = 'faults: [{ id: split }, { id: down }]';
  assert.equal(axisTitle('/replication', scenario), 'copies of each file');
  assert.equal(axisTitle('/faults/1/for', scenario), 'length of down');
  assert.equal(
    axisTitle('/faults/0/flaky/up & /faults/0/flaky/down', scenario),
    'time up in split & time down in split',
  );
  assert.equal(axisTitle('/faults/7/for', ''), 'length of fault 7');
  assert.equal(axisTitle('/workload/upstream/file_size', ''), 'workload upstream file size');
});
