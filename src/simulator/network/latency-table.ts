/** How far regions are from each other. */

export interface LatencyTable {
  readonly regions: readonly string[];
  /** Milliseconds from row to column, by the order of `regions`. */
  readonly oneWay: readonly (readonly number[])[];
}
