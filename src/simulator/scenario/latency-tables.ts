/**
 * Named tables of one-way latencies between regions, in milliseconds: half of the median round trips between a large cloud's
 * regions (cloudping.co, the sample of 2022 in jvm-libp2p's simulator; both ways averaged) plus 5 ms for access networks;
 * within a region 10 ms. A study of latency brings its own matrix.
 */

/** Frankfurt, Virginia, Oregon, Sao Paulo, Cape Town, Bahrain, Mumbai, Singapore, Tokyo, Sydney. */
const regions10 = {
  regions: ['eu', 'na', 'nw', 'sa', 'af', 'me', 'in', 'se', 'as', 'oc'],
  oneWay: [
    [10, 51, 75, 107, 85, 48, 60, 84, 116, 130],
    [51, 10, 37, 62, 121, 85, 98, 111, 78, 104],
    [75, 37, 10, 92, 142, 111, 114, 86, 54, 75],
    [107, 62, 92, 10, 176, 141, 154, 166, 133, 161],
    [85, 121, 142, 176, 10, 78, 84, 106, 183, 211],
    [48, 85, 111, 141, 78, 10, 22, 48, 86, 94],
    [60, 98, 114, 154, 84, 22, 10, 33, 67, 78],
    [84, 111, 86, 166, 106, 48, 33, 10, 39, 52],
    [116, 78, 54, 133, 183, 86, 67, 39, 10, 58],
    [130, 104, 75, 161, 211, 94, 78, 52, 58, 10],
  ],
} as const;

export interface LatencyTable {
  readonly regions: readonly string[];
  /** Milliseconds from row to column, by the order of `regions`. */
  readonly oneWay: readonly (readonly number[])[];
}

export const latencyTables: Readonly<Record<string, LatencyTable>> = { regions10 };
