/** `assert`: what must never happen, what must be reached in time, and how often something must succeed. */
import { percent, someTime } from './common-shapes.ts';
import { listOf, translated } from './compound-shapes.ts';
import { choice, text } from './scalar-shapes.ts';
import { conditions, invariants, ratios } from './scenario.ts';
import type { Asserts, Condition, Ratio, WithinAssert } from './scenario.ts';
import { derived, optional, record, required, type Field, type Shape } from './shape.ts';

type After = WithinAssert['after'];

const after: Shape<After> = translated<string, After>(
  text('heal(id), end(id), or heal for that of every fault', /^heal$|^(heal|end)\([a-zA-Z][\w-]*\)$/),
  (value) => {
    const [, event = 'heal', fault] = /^(heal|end)(?:\((.*)\))?$/.exec(value) ?? [];
    return { event: event as After['event'], fault };
  },
  ({ event, fault }) => (fault === undefined ? event : `${event}(${fault})`),
);

type WithinEntry = Omit<WithinAssert, 'condition'>;
const entry = record<WithinEntry>('an assert', {
  after: required(after, 'heal(id): the links that the fault cut are up again; end(id): its time is over'),
  within: required(someTime, 'how long it may take'),
  share: optional(percent, 1, 'of the nodes that were live then'),
});

/** A map by name in the file, a list in the program. */
function byName<N extends string, E extends object>(
  about: string,
  names: readonly N[],
  shape: Shape<E>,
): Shape<readonly (readonly [N, E])[]> {
  type Found = Record<N, E | undefined>;
  const fields = Object.fromEntries(names.map((name) => [name, derived(shape, name)])) as Record<
    N,
    Field<E | undefined>
  >;
  return translated<Found, readonly (readonly [N, E])[]>(
    record<Found>(about, fields as never),
    (found) => names.flatMap((name) => (found[name] === undefined ? [] : [[name, found[name]] as const])),
    (list) =>
      Object.fromEntries(names.map((name) => [name, list.find(([other]) => other === name)?.[1]])) as Found,
  );
}

const within: Shape<readonly WithinAssert[]> = translated<
  readonly (readonly [Condition, WithinEntry])[],
  readonly WithinAssert[]
>(
  byName('within', conditions, entry),
  (list) => list.map(([condition, rest]) => ({ condition, ...rest })),
  (list) => list.map(({ condition, ...rest }) => [condition, rest] as const),
);

type Least = Asserts['atLeast'];
const share: Shape<{ readonly share: number }> = translated(
  percent,
  (value) => ({ share: value }),
  ({ share }) => share,
);
const atLeast: Shape<Least> = translated<readonly (readonly [Ratio, { readonly share: number }])[], Least>(
  byName('at_least', ratios, share),
  (list) => list.map(([ratio, { share }]) => ({ ratio, share })),
  (list) => list.map(({ ratio, share }) => [ratio, { share }] as const),
);

export const asserts = record<Asserts>('assert', {
  never: optional(
    listOf(choice(...invariants), 'invariants', { max: invariants.length }),
    invariants,
    'promises that an observer outside the nodes sees kept',
  ),
  within: optional(within, [], 'what must be reached in time'),
  atLeast: optional(atLeast, [], 'shares that must be reached over the run'),
});
