/** Several deltas in a row as one: what was set last stays, a bin that turned twice did not. Its size is not checked. */
import { compareNames, type IndexEntry } from '../../core/index-map/index-entry.ts';
import type { IndexDelta } from '../../core/index-map/index-delta.ts';
import type { ProjectName } from '../../core/project-name.ts';

export function mergeDeltas(deltas: readonly IndexDelta[]): IndexDelta {
  const [only] = deltas;
  if (only !== undefined && deltas.length === 1) return only;
  const names = new Map<ProjectName, IndexEntry | undefined>();
  const turned = new Set<number>();
  for (const delta of deltas) {
    for (const entry of delta.set) names.set(entry.name, entry);
    for (const name of delta.del) names.set(name, undefined);
    for (const bin of delta.turned) if (!turned.delete(bin)) turned.add(bin);
  }
  const sorted = [...names].sort(([a], [b]) => compareNames(a, b));
  return {
    set: sorted.flatMap(([, entry]) => (entry === undefined ? [] : [entry])),
    del: sorted.flatMap(([name, entry]) => (entry === undefined ? [name] : [])),
    turned: [...turned].sort((a, b) => a - b),
  };
}
