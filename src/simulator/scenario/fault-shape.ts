/** `faults`: one of eight actions, its time, and the words that go with that action only. */
import { limits } from '../../core/limits.ts';
import { arrow, group, someTime, time } from './common-shapes.ts';
import { isSequence, listOf, orShort, translated } from './compound-shapes.ts';
import { duration, skew } from './quantities.ts';
import { choice, quantity, text } from './scalar-shapes.ts';
import { misbehaviours, type CutMode, type Fault, type FaultAction, type FaultKind } from './scenario.ts';
import type { GroupText, Misbehaviour } from './scenario.ts';
import { derived, failed, record, required, type Failed, type Place, type Shape } from './shape.ts';

const { shortestFlap, time: longest } = limits.scenario;

interface Flaky {
  readonly up: number;
  readonly down: number;
}

/** As it stands in the file. */
interface WrittenFault {
  readonly id: string | undefined;
  readonly at: number;
  readonly for: number | undefined;
  readonly partition: readonly GroupText[] | undefined;
  readonly isolate: GroupText | undefined;
  readonly 'one-way': { readonly from: GroupText; readonly to: GroupText } | undefined;
  readonly crash: GroupText | undefined;
  readonly restart: GroupText | undefined;
  readonly clock: GroupText | undefined;
  readonly byzantine: GroupText | undefined;
  readonly upstream: 'down' | undefined;
  readonly bridge: GroupText | undefined;
  readonly mode: 'blackhole' | 'reject' | 'flaky' | 'one-way' | undefined;
  readonly flaky: Flaky | undefined;
  readonly state: 'keep' | 'wipe' | undefined;
  readonly skew: number | undefined;
  readonly behaviour: readonly Misbehaviour[] | undefined;
}

const MODIFIERS = ['bridge', 'mode', 'flaky', 'state', 'skew', 'behaviour'] as const;
const ACTIONS: Readonly<Record<FaultKind, readonly (typeof MODIFIERS)[number][]>> = {
  partition: ['bridge', 'mode', 'flaky'],
  isolate: ['mode', 'flaky'],
  'one-way': [],
  crash: ['state'],
  restart: ['state'],
  clock: ['skew'],
  byzantine: ['behaviour'],
  upstream: ['mode'],
};
const KINDS = Object.keys(ACTIONS) as FaultKind[];

const flap = quantity(
  { ...duration, expected: 'a time of at least 100ms, such as 10s' },
  { min: shortestFlap * 1000, max: longest * 1000 },
);
const misbehaviour = choice(...misbehaviours);
const behaviour: Shape<readonly Misbehaviour[]> = orShort<readonly Misbehaviour[]>(
  listOf(misbehaviour, 'misbehaviours', { min: 1, max: misbehaviours.length }),
  {
    applies: (place) => !isSequence(place),
    read(place) {
      const one = misbehaviour.read(place);
      return one === failed ? failed : [one];
    },
    schema: misbehaviour.schema,
  },
);

const written = record<WrittenFault>('a fault', {
  id: derived(
    text('an id of letters, digits, "-" and "_"', /^[a-zA-Z][\w-]{0,63}$/),
    'default: its kind and place, partition-0',
  ),
  at: required(time, 'when it begins, after the warm-up'),
  for: derived(someTime, 'how long it lasts (default: to the end of the run; restart: 10s)'),
  partition: derived(
    listOf(group, 'groups', { min: 2, max: 100 }),
    'groups that are cut from one another; the upstream is with the first that does not say otherwise',
  ),
  isolate: derived(group, 'hosts of which each is cut from everyone'),
  'one-way': derived(arrow, 'A -> B: packets from A to B are dropped'),
  crash: derived(group, 'hosts that stop at once and lose what was not synced; back when the fault ends'),
  restart: derived(group, 'hosts that close in order, and are back when the fault ends'),
  clock: derived(group, 'hosts whose wall clock is wrong by "skew"'),
  byzantine: derived(group, 'hosts that do "behaviour"'),
  upstream: derived(choice('down'), 'the upstream answers nobody'),
  bridge: derived(group, 'hosts of a partition that are cut from nobody'),
  mode: derived(
    choice('blackhole', 'reject', 'flaky', 'one-way'),
    'blackhole (default): packets vanish; reject: they are answered with a reset; flaky: by turns',
  ),
  flaky: derived(
    record<Flaky>('flaky', {
      up: required(flap, 'how long packets pass'),
      down: required(flap, 'how long they do not; it starts so'),
    }),
    'a cut that comes and goes',
  ),
  state: derived(
    choice('keep', 'wipe'),
    'whether a crashed or restarted host still has its disk (default keep)',
  ),
  skew: derived(quantity(skew, { min: -longest * 1000, max: longest * 1000 }), 'how far ahead the clock is'),
  behaviour: derived(behaviour, 'one misbehaviour or a list'),
});

export const fault: Shape<Fault> = {
  ...translated<WrittenFault, Fault>(written, intoFault, backFromFault),
  schema: {
    ...written.schema,
    oneOf: KINDS.map((kind) => ({ required: [kind] })),
  },
};

/** An id that was not given is filled in by `resolve-defaults.ts`: empty here. */
function intoFault(value: WrittenFault, place: Place): Fault | Failed {
  const kinds = KINDS.filter((kind) => value[kind] !== undefined);
  const [kind] = kinds;
  if (kind === undefined || kinds.length > 1) {
    return place.report(
      kind === undefined ? 'a fault does nothing' : `a fault does ${kinds.join(' and ')}`,
      `give it exactly one of ${KINDS.join(', ')}`,
    );
  }
  const stray = MODIFIERS.filter((key) => value[key] !== undefined && !ACTIONS[kind].includes(key));
  for (const key of stray) {
    const where = KINDS.filter((other) => ACTIONS[other].includes(key)).join(', ');
    place.at(key).report(`"${key}" has no meaning for ${kind}`, `remove it; it belongs to ${where}`);
  }
  const action = stray.length > 0 ? failed : actionOf(kind, value, place);
  if (action === failed) return failed;
  const standard = kind === 'restart' ? 10e6 : undefined;
  return { id: value.id ?? '', at: value.at, for: value.for ?? standard, ...action };
}

function actionOf(kind: FaultKind, value: WrittenFault, place: Place): FaultAction | Failed {
  switch (kind) {
    case 'partition': {
      const mode = cutMode(value, place);
      return mode === failed
        ? failed
        : { kind, groups: value.partition as readonly GroupText[], bridge: value.bridge, mode };
    }
    case 'isolate': {
      const mode = cutMode(value, place);
      return mode === failed ? failed : { kind, group: value.isolate as GroupText, mode };
    }
    case 'one-way':
      return { kind, ...(value['one-way'] as { from: GroupText; to: GroupText }) };
    case 'crash':
    case 'restart':
      return { kind, group: value[kind] as GroupText, state: value.state ?? 'keep' };
    case 'clock':
      if (value.skew === undefined)
        return place.report('"clock" needs "skew"', 'add skew: 90s, or -5m for behind');
      return { kind, group: value.clock as GroupText, skew: value.skew };
    case 'byzantine':
      if (value.behaviour === undefined)
        return place.report(
          '"byzantine" needs "behaviour"',
          `add behaviour: one of ${misbehaviours.join(', ')}, or a list`,
        );
      return { kind, group: value.byzantine as GroupText, behaviours: value.behaviour };
    case 'upstream':
      if (value.mode === 'flaky' || value.mode === 'one-way')
        return place
          .at('mode')
          .report(
            `the upstream cannot be ${value.mode}`,
            'write blackhole or reject, or cut role:upstream by isolate',
          );
      return { kind, mode: value.mode ?? 'blackhole' };
  }
}

function cutMode({ mode, flaky }: WrittenFault, place: Place): CutMode | Failed {
  if (mode === 'one-way')
    return place
      .at('mode')
      .report(
        '"one-way" is a fault of its own',
        'write "one-way: A -> B" in place of the groups and the mode',
      );
  if (flaky === undefined) {
    if (mode !== 'flaky') return { kind: mode ?? 'blackhole' };
    return place.at('mode').report('mode flaky does not say when', 'add flaky: {up: 10s, down: 5s}');
  }
  if (mode === undefined || mode === 'flaky') return { kind: 'flaky', ...flaky };
  return place.at('mode').report(`a cut is ${mode} or flaky, not both`, 'remove mode or flaky');
}

function backFromFault(fault: Fault): WrittenFault {
  const words: { -readonly [K in keyof WrittenFault]?: WrittenFault[K] } = {};
  switch (fault.kind) {
    case 'partition':
      words.partition = fault.groups;
      words.bridge = fault.bridge;
      break;
    case 'one-way':
      words['one-way'] = { from: fault.from, to: fault.to };
      break;
    case 'upstream':
      words.upstream = 'down';
      words.mode = fault.mode;
      break;
    default:
      words[fault.kind] = fault.group;
  }
  if (fault.kind === 'partition' || fault.kind === 'isolate') {
    words.mode = fault.mode.kind;
    if (fault.mode.kind === 'flaky') words.flaky = { up: fault.mode.up, down: fault.mode.down };
  }
  if (fault.kind === 'crash' || fault.kind === 'restart') words.state = fault.state;
  if (fault.kind === 'clock') words.skew = fault.skew;
  if (fault.kind === 'byzantine') words.behaviour = fault.behaviours;
  return { ...written.empty, ...words, id: fault.id, at: fault.at, for: fault.for };
}
