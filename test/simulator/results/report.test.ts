import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import fc from 'fast-check';
import { renderRunPlots } from '../../../src/simulator/results/run-plots.ts';
import { renderRunReport } from '../../../src/simulator/results/run-report.ts';
import { roundTicks, timeAxis, valueAxis } from '../../../src/simulator/results/svg/axis.ts';
import { renderEcdfPlot } from '../../../src/simulator/results/svg/ecdf-plot.ts';
import { dumpDom, screenshot, withoutChromium } from '../../support/headless-chromium.ts';
import { makeUpRun } from '../../support/simulator/made-up-run.ts';

const root = await mkdtemp(join(tmpdir(), 'fondue-report-'));
after(() => rm(root, { recursive: true }));

const run = makeUpRun();
const plots = renderRunPlots(run);

test('every plot says its scenario, seed and variant in the title, and describes itself', () => {
  assert.ok(plots.length >= 5);
  for (const { svg, title } of plots) {
    assert.match(title, /atlantic-split, seed 1, run 0 \(all hosts open\)/);
    assert.match(svg, /^<svg [^>]*role="img"/);
    assert.match(svg, /<title>.*all hosts open.*<\/title><desc>.+<\/desc>/);
  }
});

test('plots over time show each fault as bands with its id, once for each time that it was there', () => {
  const { svg = '' } = plots.find(({ file }) => file.endsWith('heads.svg')) ?? {};
  assert.equal(svg.match(/class="fp-band"/g)?.length, 1 + 1 + 4);
  for (const id of ['split', 'alone', 'flaky&lt;&amp;&gt;&quot;link'])
    assert.ok(svg.includes(`>${id}</text>`), id);
});

test('lines differ in dashes as well as in colour', () => {
  const { svg = '' } = plots.find(({ file }) => file.endsWith('connections.svg')) ?? {};
  const lines = [
    ...svg.matchAll(/<path [^>]*fill="none" stroke="([^"]+)"[^>]*?(?:stroke-dasharray="([^"]+)")?\/>/g),
  ];
  assert.equal(lines.length, 3);
  assert.equal(new Set(lines.map(([, colour]) => colour)).size, 3);
  assert.equal(new Set(lines.map(([, , dash]) => dash)).size, 3);
});

test('a step line holds its value to the next point and leaves a gap where nothing is known', () => {
  const points = [
    { at: 0, value: 1 },
    { at: 10e6, value: 0 },
    { at: 20e6, value: undefined },
    { at: 30e6, value: 1 },
  ];
  const base = {
    ...run,
    duration: 40e6,
    faults: [],
    times: [],
    series: [{ metric: 'm', unit: '1', points }],
  };
  const svg = renderRunPlots(base)[0]?.svg ?? '';
  const d = /<path d="([^"]+)" fill="none"/.exec(svg)?.[1] ?? '';
  assert.deepEqual(d.match(/[MHV]/g)?.join(''), 'MHVHMH');
});

test('the share that never got there keeps its line below the top, and is counted in the legend', () => {
  const times = {
    metric: 'lookup',
    unit: 's',
    window: 30,
    values: [
      { kind: 'observed', value: 1 },
      { kind: 'failed' },
      { kind: 'failed' },
      { kind: 'failed' },
    ] as const,
  };
  const svg = renderEcdfPlot({ title: 't', lines: [{ name: 'lookup', times }] });
  assert.ok(svg.includes('n = 4, 3 &gt; 30 s'));
  const axis = [...svg.matchAll(/x1="76" y1="([\d.]+)" x2="76" y2="([\d.]+)"/g)].at(-1) ?? [];
  const [, top = 0, bottom = 0] = axis.map(Number);
  const heights = [...svg.matchAll(/V([\d.]+)/g)].map(([, y]) => Number(y));
  assert.deepEqual(heights, [bottom - (bottom - top) / 4]);
});

test('ticks are round, within the axis and few, whatever the range', () => {
  fc.assert(
    fc.property(
      fc.double({ min: 1e-9, max: 1e12, noNaN: true }),
      fc.double({ min: -1e6, max: 1e6, noNaN: true }),
      (size, low) => {
        const axis = valueAxis('x', 's', [low, low + size]);
        assert.ok(axis.ticks.length >= 2 && axis.ticks.length <= 13, `${axis.ticks.length} ticks`);
        assert.ok(axis.max >= low + size && axis.min <= Math.min(0, low));
        for (const { at } of axis.ticks)
          assert.ok(at >= axis.min - 1e-6 * size && at <= axis.max * (1 + 1e-9));
      },
    ),
  );
  assert.deepEqual(roundTicks(0, 10, 5), [0, 2, 4, 6, 8, 10]);
  assert.deepEqual(
    timeAxis(3600e6)
      .ticks.map(({ text }) => text)
      .slice(0, 3),
    ['0', '10 min', '20 min'],
  );
  assert.equal(timeAxis(3600e6).ticks.at(-1)?.text, '1 h');
});

test('the report is one file: nothing is loaded, no script, and what strangers named is escaped', () => {
  const hostile = {
    ...run,
    name: '<script>alert(1)</script>',
    findings: [{ what: '<img src=x>', verdict: 'fail', why: '"&' }] as const,
    honesty: ['<b>'],
    scenario: '</pre><script>',
  };
  const html = renderRunReport(hostile, renderRunPlots(hostile));
  assert.doesNotMatch(html, /<script|<img|<link|<b>|<[^>]* (src|href)=|@import|url\(/);
  assert.deepEqual(
    [...html.matchAll(/https?:[^"' <]*/g)]
      .map(([url]) => url)
      .filter((url) => url !== 'http://www.w3.org/2000/svg'),
    [],
  );
});

test('the report says verdicts, quantiles with "> window", shares that failed, and what not to conclude', () => {
  const html = renderRunReport(run, plots);
  for (const text of [
    'FAILS',
    'after 1500 s only 49 of 50 nodes',
    'inconclusive',
    'max &gt; 300 s',
    '2.041 % of 49',
    'p99 &gt; 30 s',
    'fixed-rule TCP',
    'fondue sim replay A',
  ])
    assert.ok(html.includes(text), text);
});

test(
  'Chromium draws the report: a picture, and no error of XML or HTML',
  { skip: withoutChromium },
  async () => {
    const file = join(root, 'report.html');
    await writeFile(file, renderRunReport(run, plots));
    const png = await screenshot(file);
    assert.ok(png.length > 50_000, `a picture of ${png.length} bytes`);
    // Alone an SVG is read as XML, which forgives nothing; all of them as one.
    const svg = join(root, 'all.svg');
    await writeFile(
      svg,
      `<svg xmlns="http://www.w3.org/2000/svg">${plots.map((plot) => plot.svg).join('')}</svg>`,
    );
    const dom = await dumpDom(svg);
    assert.equal(dom.match(/<svg /g)?.length, plots.length + 1);
    assert.doesNotMatch(dom, /parsererror|This page contains the following errors/);
  },
);
