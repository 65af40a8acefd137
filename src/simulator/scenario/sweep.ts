/**
 * The points of a sweep: JSON Pointers mapped to lists, the first of the file turning slowest. `zip` is one axis that sets
 * several keys at once.
 */
import {
  isCollection,
  isMap,
  isNode,
  isScalar,
  isSeq,
  stringify,
  type Document,
  type Node,
  type Pair,
} from 'yaml';
import { limits } from '../../core/limits.ts';
import { Place } from './shape.ts';
import type { ProblemList } from './problems.ts';

export interface SweepAxis {
  /** One; several of a `zip`. */
  readonly pointers: readonly string[];
  /** As written, by step and then by pointer. */
  readonly steps: readonly (readonly string[])[];
}

interface NodeAxis extends SweepAxis {
  readonly nodes: readonly (readonly Node[])[];
}

export interface PointDraft {
  readonly settings: readonly { readonly pointer: string; readonly value: string }[];
  /** The file with the point's values in place, each still knowing where it stood. */
  document(): Document;
}

/** Keys that a point may not change, and why. */
const FIXED: Readonly<Record<string, string>> = {
  name: 'all points are one scenario',
  seed: 'points share their random streams, so that they can be compared: use "runs"',
  runs: 'points are compared run by run: give one number for all',
  sweep: 'a sweep does not sweep itself',
};

export function expandSweep(
  sweep: unknown,
  document: Document,
  problems: ProblemList,
): { axes: SweepAxis[]; points: PointDraft[] } {
  const one: PointDraft = { settings: [], document: () => document };
  if (sweep === undefined) return { axes: [], points: [one] };
  const place = new Place(problems, sweep as Node, 0, '/sweep');
  if (!isMap(sweep) || sweep.items.length === 0) {
    place.report(`${place.describe()} is not a sweep`, 'write {/network/loss: [0%, 1%]}');
    return { axes: [], points: [one] };
  }
  const before = problems.size;
  const axes = sweep.items.flatMap((pair) => readAxis(pair, place, document));
  const pointers = axes.flatMap((axis) => axis.pointers);
  for (const pointer of pointers) {
    const nested = pointers.filter((other) => other === pointer || other.startsWith(`${pointer}/`));
    if (nested.length > 1) place.report(`${nested.join(' and ')} set the same value`, 'sweep it once');
  }
  const count = axes.reduce((product, { steps }) => product * steps.length, 1);
  if (count > limits.scenario.points) place.report(`${count} points`, `keep it to ${limits.scenario.points}`);
  if (problems.size > before) return { axes: [], points: [one] };
  const points = Array.from({ length: count }, (_, index) => draft(index, axes, document));
  return { axes: axes.map(({ pointers, steps }) => ({ pointers, steps })), points };
}

function readAxis(pair: Pair, place: Place, document: Document): NodeAxis[] {
  const key = String(isScalar(pair.key) ? pair.key.value : pair.key);
  const child = place.child(pair.value, key);
  if (key !== 'zip') {
    const list = readList(pair, place, document);
    return list === undefined ? [] : [axisOf([key], [list])];
  }
  if (!isMap(pair.value) || pair.value.items.length < 2) {
    child.report(
      `${child.describe()} is not what "zip" pairs`,
      'write two pointers or more with lists of one length',
    );
    return [];
  }
  const lists = pair.value.items.map((inner) => readList(inner, child, document));
  const names = pair.value.items.map((inner) => String(isScalar(inner.key) ? inner.key.value : inner.key));
  if (lists.includes(undefined)) return [];
  const whole = lists as Node[][];
  if (new Set(whole.map(({ length }) => length)).size > 1) {
    child.report(
      `"zip" pairs lists of different lengths: ${whole.map(({ length }) => length).join(', ')}`,
      'give them one length, or sweep the keys apart',
    );
    return [];
  }
  return [axisOf(names, whole)];
}

function axisOf(pointers: string[], lists: readonly (readonly Node[])[]): NodeAxis {
  const nodes = (lists[0] ?? []).map((_, step) => lists.map((list) => list[step] as Node));
  return { pointers, nodes, steps: nodes.map((row) => row.map(textOf)) };
}

function textOf(node: Node): string {
  if (isScalar(node)) return String(node.source ?? node.value);
  return stringify(node, { collectionStyle: 'flow', lineWidth: 0 }).trim();
}

function readList(pair: Pair, place: Place, document: Document): Node[] | undefined {
  const pointer = String(isScalar(pair.key) ? pair.key.value : pair.key);
  const at = place.child(pair.key, pointer);
  const problem = pointerProblem(pointer, document);
  if (problem !== undefined) {
    at.report(problem.message, problem.fix);
    return undefined;
  }
  const list = isSeq(pair.value) ? pair.value.items.filter(isNode) : [];
  if (list.length > 0) return list;
  const value = place.child(pair.value, pointer);
  value.report(`${value.describe()} is not a list of values`, 'write [first, second, ...]');
  return undefined;
}

function pointerProblem(pointer: string, document: Document): { message: string; fix: string } | undefined {
  if (!/^(\/([^/~]|~[01])+)+$/.test(pointer)) {
    return {
      message: `"${pointer}" is no JSON Pointer`,
      fix: 'write /network/loss, or /faults/0/for for the first fault',
    };
  }
  const path = pathOf(pointer);
  const reason = FIXED[path[0] ?? ''];
  if (reason !== undefined) return { message: `"${pointer}" cannot be swept`, fix: reason };
  let node: unknown = document.contents;
  for (const [depth, key] of path.entries()) {
    if (!isCollection(node)) {
      if (depth === 0 || node === undefined) return undefined;
      return {
        message: `"${pointer}": there is nothing below "${path[depth - 1]}"`,
        fix: 'point at a key that exists',
      };
    }
    if (isSeq(node) && !(/^\d+$/.test(key) && Number(key) < node.items.length)) {
      return {
        message: `"${pointer}": the list has no item ${key}`,
        fix: `items are 0 to ${node.items.length - 1}`,
      };
    }
    node = node.get(key, true);
  }
  return undefined;
}

function pathOf(pointer: string): string[] {
  return pointer
    .split('/')
    .slice(1)
    .map((key) => key.replaceAll('~1', '/').replaceAll('~0', '~'));
}

function draft(index: number, axes: readonly NodeAxis[], document: Document): PointDraft {
  // The last axis turns fastest.
  let left = index;
  const steps = axes.map(() => 0);
  for (let axis = axes.length - 1; axis >= 0; axis--) {
    const { length } = (axes[axis] as NodeAxis).nodes;
    steps[axis] = left % length;
    left = Math.floor(left / length);
  }
  const chosen = axes.flatMap(({ pointers, nodes, steps: texts }, axis) =>
    pointers.map((pointer, which) => ({
      pointer,
      node: nodes[steps[axis] as number]?.[which] as Node,
      value: texts[steps[axis] as number]?.[which] as string,
    })),
  );
  return {
    settings: chosen.map(({ pointer, value }) => ({ pointer, value })),
    document() {
      const copy = document.clone();
      for (const { pointer, node } of chosen) copy.setIn(pathOf(pointer), node);
      return copy;
    },
  };
}
