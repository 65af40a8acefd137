/** What a sweep varies, from what its points set. Pointers that change together (a `zip`) are one axis. */
import type { Setting } from './run-result.ts';

export interface SweepAxis {
  /** `/replication`; several joined by ` & `. */
  readonly name: string;
  /** As written, in the order of the points. */
  readonly steps: readonly string[];
  stepOf(settings: readonly Setting[]): string;
}

/** `points`: what each sets, in their order. */
export function sweepAxes(points: readonly (readonly Setting[])[]): SweepAxis[] {
  const pointers = [...new Set(points.flatMap((settings) => settings.map(({ pointer }) => pointer)))];
  const groups: string[][] = [];
  for (const pointer of pointers) {
    const group = groups.find(([first]) => first !== undefined && changeTogether(points, first, pointer));
    if (group === undefined) groups.push([pointer]);
    else group.push(pointer);
  }
  return groups
    .map((group) => {
      const stepOf = (settings: readonly Setting[]): string =>
        group.map((pointer) => valueOf(settings, pointer)).join(' & ');
      return { name: group.join(' & '), steps: [...new Set(points.map(stepOf))], stepOf };
    })
    .filter(({ steps }) => steps.length > 1);
}

export function valueOf(settings: readonly Setting[], pointer: string): string {
  return settings.find((one) => one.pointer === pointer)?.value ?? '';
}

function changeTogether(points: readonly (readonly Setting[])[], one: string, other: string): boolean {
  const count = (...pointers: string[]): number =>
    new Set(points.map((settings) => JSON.stringify(pointers.map((pointer) => valueOf(settings, pointer)))))
      .size;
  return count(one) > 1 && count(one) === count(other) && count(one) === count(one, other);
}
