/** A run that nobody ran: a partition, its heal, nodes that fail and die, and names that need escaping. */
import { createRandomness, deriveStream } from '../../../src/simulator/scenario/streams.ts';
import type { RunResult } from '../../../src/simulator/results/run-result.ts';

const MINUTE = 60e6;

export interface MadeUp {
  readonly run?: number;
  readonly point?: number;
  readonly nodes?: number;
  readonly settings?: RunResult['settings'];
  /** Added to every time to reconverge, seconds. */
  readonly slower?: number;
}

export function makeUpRun({
  run = 0,
  point = 0,
  nodes = 50,
  settings = [],
  slower = 0,
}: MadeUp = {}): RunResult {
  const random = createRandomness(deriveStream(1, run, 'made-up', 'values'));
  const duration = 60 * MINUTE;
  const heads = Array.from({ length: 60 }, (_, minute) => ({
    at: minute * MINUTE,
    value: minute >= 10 && minute < 25 ? 2 + Math.floor(random.float() * 3) : minute === 50 ? undefined : 1,
  }));
  const reconverge = Array.from({ length: nodes }, (_, node) => {
    const value = slower + 2 - 8 * Math.log(1 - random.float());
    if (node === 3) return { kind: 'failed', node } as const;
    if (node === 4) return { kind: 'censored', bound: 1.5, node } as const;
    return { kind: 'observed', value, node } as const;
  });
  return {
    name: 'atlantic-split',
    seed: 1,
    run,
    point,
    settings,
    scenario: `name: atlantic-split\nseed: 1\nreplication: ${settings[0]?.value ?? 3}\n`,
    duration,
    variant: 'all hosts open',
    faults: [
      {
        id: 'split',
        label: 'partition region:na | rest',
        intervals: [{ from: 10 * MINUTE, to: 25 * MINUTE }],
      },
      { id: 'alone', label: 'isolate role:publisher', intervals: [{ from: 12 * MINUTE, to: 14 * MINUTE }] },
      {
        id: 'flaky<&>"link',
        label: 'one-way A -> B',
        intervals: [40, 42, 44, 46].map((from) => ({ from: from * MINUTE, to: (from + 1) * MINUTE })),
      },
    ],
    series: [
      { metric: 'heads', unit: '1', points: heads },
      ...['eu', 'na', 'as'].map((region, index) => ({
        metric: 'connections',
        unit: '1',
        group: `region:${region}`,
        points: Array.from({ length: 120 }, (_, half) => ({
          at: (half * MINUTE) / 2,
          value: 12 + index * 6 + Math.round(random.float() * 4) - (half > 20 && half < 50 ? 5 : 0),
        })),
      })),
      ...Array.from({ length: nodes }, (_, node) => ({
        metric: 'sent',
        unit: 'B/s',
        node,
        points: Array.from({ length: 30 }, (_point, at) => ({
          at: at * 2 * MINUTE,
          value: random.float() * 40_000,
        })),
      })),
    ],
    times: [
      { metric: 'reconverge(split)', unit: 's', window: 300, values: reconverge },
      {
        metric: 'reconverge(alone)',
        unit: 's',
        window: 300,
        values: reconverge.map((one) => (one.kind === 'observed' ? { ...one, value: one.value * 0.6 } : one)),
      },
      {
        metric: 'lookup',
        unit: 's',
        window: 30,
        values: Array.from({ length: 200 }, (_, index) =>
          index % 20 === 0
            ? ({ kind: 'failed', at: index * 1e6 } as const)
            : ({ kind: 'observed', value: random.float() ** 2 * 3, at: index * 1e6 } as const),
        ),
      },
    ],
    counters: [
      { metric: 'lookup_all', unit: '1', value: 0.9 + random.float() / 20 },
      { metric: 'availability', unit: '1', value: Math.min(1, 0.8 + point / 20 + random.float() / 50) },
      { metric: 'messages', unit: '1', group: 'gossip, "sub"', value: 123_456 },
    ],
    verdict: 'fail',
    findings: [
      { what: 'never wrong_bytes', verdict: 'pass', why: 'not seen' },
      {
        what: 'converged within 300 s of heal(split)',
        verdict: 'fail',
        why: 'after 1500 s only 49 of 50 nodes',
      },
      {
        what: 'converged within 300 s of heal(alone)',
        verdict: 'inconclusive',
        why: 'no heal followed by 300 s without a cut',
      },
    ],
    honesty: [
      'fixed-rule TCP; no shared bottleneck beyond access links',
      '100 % of nodes can be dialled',
      '31 events a node-second',
    ],
    replay: 'fondue sim replay A',
    trace: '5f'.repeat(32),
  };
}
