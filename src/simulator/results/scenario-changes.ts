/** Where two resolved scenarios differ, by JSON Pointer; their seeds apart. */
import { parse } from 'yaml';

export interface ScenarioChange {
  readonly pointer: string;
  /** As written; undefined: not there. */
  readonly a: string | undefined;
  readonly b: string | undefined;
}

export function describeScenarioChanges(a: string, b: string): ScenarioChange[] {
  const [left, right] = [leavesOf(parse(a)), leavesOf(parse(b))];
  return [...new Set([...left.keys(), ...right.keys()])]
    .filter((pointer) => pointer !== '/seed' && left.get(pointer) !== right.get(pointer))
    .map((pointer) => ({ pointer, a: left.get(pointer), b: right.get(pointer) }));
}

function leavesOf(value: unknown, pointer = ''): Map<string, string> {
  if (typeof value !== 'object' || value === null || Object.keys(value).length === 0)
    return new Map([[pointer, typeof value === 'string' ? value : JSON.stringify(value)]]);
  return new Map(
    Object.entries(value).flatMap(([key, one]) => [
      ...leavesOf(one, `${pointer}/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`),
    ]),
  );
}
