/** What the metrics of a run are, in a line each, for whoever reads its report; and which of them matter most. */

const WORDS: readonly (readonly [metric: RegExp, words: string])[] = [
  [/^reconverge$/, 'until a node believed again what all publishers had said at the heal, held for 30 s'],
  [
    /^reconverge_topology$/,
    'until the live graph was connected with half of its links across the cut, held for 30 s',
  ],
  [/^lookup_time$/, 'files that only peers could give: until their bytes were verified'],
  [/^lookup_all$/, 'share of look-ups (not on disk, upstream closed) that gave verified bytes within 30 s'],
  [/^lookup_eligible$/, 'the same, of those with a live holder within reach all the time'],
  [/^delivery$/, 'share of records that a live node had by gossip within 10 s of publication'],
  [/^delivery_reach$/, 'the same, of nodes in the publisher’s component'],
  [
    /^repair_ratio$/,
    'of the records that nodes got, those that no gossip had told of: anti-entropy brought them',
  ],
  [/^duplicates$/, 'gossip: copies beyond the first, for each first one'],
  [/^freshness_lag/, 'age of the oldest upstream change that a node does not reflect'],
  [/^divergence_area$/, 'D(t) over cut and window, less what it is in as much time before'],
  [/^dials_after$/, 'attempts to connect a second after the heal, all nodes together'],
  [/^dials_after_peak$/, 'the same, in the busiest ten seconds'],
  [/^heads/, 'distinct heads among live nodes: which record of each log they have'],
  [/^divergence/, 'D(t) = 1 - Σ(n/N)²: 0 where all live nodes have the same head'],
  [/^availability/, 'share of files that a live node within reach holds, over nodes and files'],
  [/^holders/, 'live nodes that hold a file, mean over the files of the index'],
  [/^stale_connections/, 'share of connections whose other end is gone or cut off'],
  [/^routes/, 'entries of the routing table of the DHT, mean over live nodes'],
  [/^stale_routes/, 'share of those entries whose peer does not run or is cut off'],
  [/^conflicts/, 'names and serials for which gateways show different pages'],
  [/^lookups_failed/, 'look-ups that failed, by when they began'],
  [/^lookups/, 'look-ups: files not on disk while the upstream was closed'],
  [/^bytes_sent/, 'bytes that a node sends a second, by protocol'],
  [/^messages_sent/, 'messages that a node sends a second, by protocol'],
  [/^dials/, 'attempts to connect a second, all nodes together'],
  [/^connections/, 'connections that both ends have'],
  [/^live/, 'nodes that run'],
];

/** Without a cut's name in brackets, or the name of a statistic. undefined: the name says it. */
export function metricWords(metric: string): string | undefined {
  const base = baseOf(metric);
  return WORDS.find(([pattern]) => pattern.test(base))?.[1];
}

/** `reconverge` of `reconverge(split)`. */
export function baseOf(metric: string): string {
  return metric.replace(/\(.*\)/, '');
}

/** In this order; plots of others are shown after them, folded. */
const FIRST = [
  /^lookups_failed\(/,
  /^lookups\(/,
  /^heads$/,
  /^divergence$/,
  /^reconverge$/,
  /^freshness_lag$/,
  /^lookup_time$/,
  /^availability$/,
  /^bytes_sent$/,
  /^stale_connections$/,
  /^stale_routes$/,
  /^dials$/,
  /^connections$/,
];

/** The less the earlier; undefined: it is one of many. */
export function plotRank(metric: string): number | undefined {
  const rank = FIRST.findIndex((pattern) => pattern.test(metric));
  return rank === -1 ? undefined : rank;
}

/** Scalars that a reader looks for first, in this order. */
const MEASURED = [
  /^lookup_all$/,
  /^lookup_eligible$/,
  /^delivery$/,
  /^delivery_reach$/,
  /^repair_ratio$/,
  /^duplicates$/,
  /^freshness_lag\./,
  /^divergence_area\(/,
  /^(heads|divergence|availability|holders|stale_connections|stale_routes|conflicts|connections|live)\.mean$/,
  /^dials(\.mean|_after.*)$/,
];

export function scalarRank(metric: string): number | undefined {
  const rank = MEASURED.findIndex((pattern) => pattern.test(metric));
  return rank === -1 ? undefined : rank;
}
