/** The verdict: passed only by enough runs on a machine that did nothing else, and only where both sides agree. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  compareSides,
  renderNodes,
  renderSides,
  renderTable,
  type SideResult,
} from '../../../scripts/sim-validate/validation-report.ts';

function side(runs: number, change: (run: number) => Partial<SideResult> = () => ({})): SideResult[] {
  return Array.from({ length: runs }, (_, run) => {
    const median = 15e6 + (run % 5) * 2e5;
    return {
      run,
      reconverge: [median - 1e6, median, median + 1e6],
      heals: 1,
      median,
      delivery: 0.7 + (run % 3) * 0.002,
      deliveryReach: 0.95,
      records: 40,
      connections: { atCut: 60, atHeal: 55 },
      cpuSeconds: 10,
      machineElsewhere: 0.02,
      ...change(run),
    };
  });
}

test('equal sides pass, with twenty runs and not with five', () => {
  assert.equal(compareSides(side(20), side(20)).verdict, 'passed');
  assert.equal(compareSides(side(5), side(5)).verdict, 'too few runs');
});

test('a reconvergence that is 20 % slower fails, and is named', () => {
  const slower = side(20, (run) => ({ median: 1.2 * (15e6 + (run % 5) * 2e5) }));
  const { verdict, why } = compareSides(slower, side(20));
  assert.equal(verdict, 'failed');
  assert.match(why, /time to reconverge/);
});

test('a delivery three points apart fails, and is named', () => {
  const { verdict, why } = compareSides(
    side(20),
    side(20, (run) => ({ delivery: 0.73 + (run % 3) * 0.002 })),
  );
  assert.equal(verdict, 'failed');
  assert.match(why, /delivery/);
});

test('half of the runs that never reconverge cannot pass, on either side', () => {
  const never = side(20, (run) => (run % 2 === 0 ? { median: Infinity } : {}));
  assert.equal(compareSides(side(20), never).verdict, 'failed');
  assert.equal(compareSides(never, side(20)).verdict, 'failed');
});

test('a machine that was busy with something else in one run says nothing', () => {
  const busy = side(20, (run) => (run === 3 ? { machineElsewhere: 0.4 } : {}));
  assert.equal(compareSides(side(20), busy).verdict, 'disturbed');
});

test('the table, the rows and the plot hold both sides', () => {
  const lost = side(10, () => ({ reconverge: [1e6, null, 3e6] }));
  const table = renderTable(compareSides(lost, side(10)));
  assert.match(table, /\| delivery within 10 s +\| 0\.702 /);
  const rows = renderNodes(lost, side(10)).trim().split('\n');
  assert.equal(rows.length, 1 + 2 * 10 * 3);
  assert.equal(rows[2]?.trim(), 'simulated,0,0,1,,0.7');
  const svg = renderSides(lost, side(10), 60e6);
  assert.match(svg, /simulated \(n = 30, 10 &gt; 60 s\)/);
  assert.match(svg, /real processes \(n = 30\)/);
});
