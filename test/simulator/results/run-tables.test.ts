/** What the report of a run shows first: each side of a cut, who sent what, and the numbers that readers look for. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { metricWords } from '../../../src/simulator/results/metric-words.ts';
import { renderRunPlots } from '../../../src/simulator/results/run-plots.ts';
import { renderRunReport } from '../../../src/simulator/results/run-report.ts';
import type { Counter, RunResult } from '../../../src/simulator/results/run-result.ts';
import { scalarTables, sidesTable, trafficTable } from '../../../src/simulator/results/run-tables.ts';
import { makeUpRun } from '../../support/simulator/made-up-run.ts';

const counter = (metric: string, value: number, group?: string, unit = '1'): Counter => ({
  metric,
  unit,
  value,
  ...(group === undefined ? {} : { group }),
});
const made = (counters: readonly Counter[], more: Partial<RunResult> = {}): RunResult => ({
  ...makeUpRun(),
  times: [],
  series: [],
  counters,
  ...more,
});
/** Cells by row. */
const rows = (html: string | undefined): string[][] =>
  [...(html ?? '').matchAll(/<tr>(.*?)<\/tr>/gs)].map(([, row = '']) =>
    [...row.matchAll(/<t[dh][^>]*>(.*?)<\/t[dh]>/gs)].map(([, cell = '']) => cell),
  );

test('each side of each cut has a row: how many looked, how many failed, and of whom it could not be the network’s fault', () => {
  const result = made([
    counter('lookups.count', 7),
    counter('lookups.count(split)', 20, 'even'),
    counter('lookups_failed.count(split)', 5, 'even'),
    counter('lookup_all(split)', 0.75, 'even'),
    counter('lookups_eligible.count(split)', 16, 'even'),
    counter('lookup_eligible(split)', 0.9375, 'even'),
    counter('lookups.count(split)', 0, 'odd'),
    counter('lookups_failed.count(split)', 0, 'odd'),
    counter('lookups_eligible.count(split)', 0, 'odd'),
  ]);
  assert.deepEqual(rows(sidesTable(result)?.html).slice(1), [
    ['split', 'even', '20', '5', '75 %', '16', '93.75 %'],
    ['split', 'odd', '0', '0', '', '0', ''],
  ]);
  assert.equal(sidesTable(made([counter('lookups.count', 7)])), undefined);
});

test('protocols stand in the order of their bytes, with their share and what a node sends a second', () => {
  const flat = (metric: string, group: string, value: number) => ({
    metric,
    unit: 'B/s',
    group,
    points: [{ at: 0, value }],
  });
  const result = made(
    [counter('bytes_sent.total', 1000, 'kad', 'B'), counter('bytes_sent.total', 3000, 'blob', 'B')],
    { series: [flat('bytes_sent', 'blob', 12.5), flat('messages_sent', 'blob', 0.25)] },
  );
  assert.deepEqual(rows(trafficTable(result)?.html).slice(1), [
    ['blob', '3000', '75 %', '12.5', '0.25'],
    ['kad', '1000', '25 %', '', ''],
  ]);
  assert.equal(trafficTable(made([])), undefined);
});

test('the numbers that readers look for come first and in words, all others folded; microseconds are shown as seconds', () => {
  const result = made(
    [
      counter('packets_cut.total', 9),
      counter('dials_after(split)', 1.5, undefined, '1/s'),
      counter('delivery', 0.987),
      counter('lookup_all', 0.5),
    ],
    {
      times: [
        {
          metric: 'lookup_time',
          unit: 'us',
          window: 30e6,
          values: [{ kind: 'observed', value: 2.5e6 }, { kind: 'failed' }],
        },
      ],
    },
  );
  const { first, rest } = scalarTables(result);
  assert.deepEqual(
    rows(first?.html)
      .slice(1)
      .map(([metric, value]) => [metric, value]),
    [
      ['lookup_all', '0.5'],
      ['delivery', '0.987'],
      ['dials_after(split)', '1.5 1/s'],
    ],
  );
  assert.ok(
    rows(first?.html)
      .slice(1)
      .every(([, , words]) => words !== ''),
  );
  const all = rows(rest.html).slice(1);
  assert.equal(all.length, 7);
  assert.deepEqual(all[4], ['lookup_time.p50', '2.5 s']);
  assert.deepEqual(all[5], ['lookup_time.max', '&gt; 30 s']);
  assert.match(rest.html, /^<details>/);
});

test('plots that readers look for stand open and in order, with what they show; the others are folded', () => {
  const flat = (metric: string) => ({ metric, unit: '1', points: [{ at: 0, value: 1 }] });
  const result = made([], {
    series: [
      'page_attempts',
      'connections',
      'heads',
      'freshness_lag',
      'divergence',
      'lookups_failed(split)',
    ].map(flat),
  });
  const plots = renderRunPlots(result);
  assert.deepEqual(
    plots.map(({ file, first }) => [file, first]),
    [
      ['01-lookups-failed-split.svg', true],
      ['02-heads.svg', true],
      ['03-divergence.svg', true],
      ['04-freshness-lag.svg', true],
      ['05-connections.svg', true],
      ['06-page-attempts.svg', false],
    ],
  );
  const html = renderRunReport(result, plots);
  assert.equal(html.match(/<details><summary>1 more plots?<\/summary>/g)?.length, 1);
  assert.ok(html.indexOf('page_attempts:') > html.indexOf('1 more plot'));
  assert.ok(html.includes(`<figcaption>${metricWords('heads')}</figcaption>`));
});

test('the words of a metric are those of its kind, whatever cut it is of', () => {
  assert.equal(metricWords('reconverge(a (b) c)'), metricWords('reconverge'));
  assert.equal(metricWords('divergence_area(split)'), metricWords('divergence_area'));
  assert.notEqual(metricWords('divergence_area'), metricWords('divergence'));
  assert.notEqual(metricWords('dials_after_peak(x)'), metricWords('dials_after(x)'));
  assert.notEqual(metricWords('lookups_failed(x)'), metricWords('lookups(x)'));
  assert.equal(metricWords('bytes_from_peers'), undefined);
});
