/**
 * What a new policy begins with. What was decided under another one does not count, what its publishers signed does: of those
 * that both name, the maps go over, so that service goes on. Logs stand beside all policies, so that none can begin a second
 * time. Must always hold: a kill anywhere leaves the policy before whole, and then it is done again.
 */
import { KeySlots, type Rotation } from '../../core/belief/key-slots.ts';
import type { Policy } from '../../core/log/policy.ts';
import type { FollowState, FollowStates, StateWrite } from './follow-state.ts';
import { namedKey, retractionsKey } from './take-record.ts';

export interface PolicyPlace {
  readonly policy: Policy;
  readonly upstream: string;
  /** Of both (`policyKey`). */
  readonly scope: string;
}

/** The policy that was followed last. */
interface Followed {
  readonly scope: string;
  readonly upstream: string;
  readonly voters: readonly (readonly [slot: string, origin: string])[];
  /** A scope that is to be emptied still. */
  readonly left?: string;
}

const KEY = 'policy';
const DECIDED = ['name/', 'next', 'bases', 'excluded', 'view/', 'redo/', 'seen/', 'format', 'names/'];
const CARRIED = ['view', 'redo', 'seen'];
/** In one write: few enough to hold, and each is waited for. */
const WRITE_BYTES = 1024 * 1024;
const WRITE_KEYS = 1024;

/** Of a log, by its key: what was signed is the same under any policy. */
export function logScope(key: string): string {
  return `log ${key}`;
}

/** Resolves to the origins whose maps are those of the new policy. Before anything else of it is read. */
export async function carryVoters(states: FollowStates, place: PolicyPlace): Promise<ReadonlySet<string>> {
  const { policy, upstream, scope } = place;
  const node = states.scope('node');
  const kept = await node.get(KEY);
  const before = kept && (JSON.parse(Buffer.from(kept).toString()) as Followed);
  const voters = policy.publishers.map(({ key }) => [key.text, key.name] as const);
  const now: Followed = { scope, upstream, voters };
  const write = (followed: Followed): Promise<void> =>
    node.write([[KEY, Buffer.from(JSON.stringify(followed))]]);
  const origins = new Set(voters.map(([, origin]) => origin));
  if (before?.left !== undefined) await empty(states.scope(before.left));
  if (before === undefined || before.scope === scope) {
    if (before === undefined || before.left !== undefined) await write(now);
    return origins;
  }
  // Another index: nothing that was signed of it is a vote here.
  if (before.upstream !== upstream) {
    await write(now);
    return new Set();
  }
  const carried = await carry(states, before, place);
  await write({ ...now, left: before.scope });
  await empty(states.scope(before.scope));
  await write(now);
  return carried;
}

export async function readRotations(state: FollowState): Promise<Rotation[]> {
  const kept = await state.get('rotations');
  return kept === undefined ? [] : (JSON.parse(Buffer.from(kept).toString()) as Rotation[]);
}

async function carry(
  states: FollowStates,
  before: Followed,
  { policy, scope }: PolicyPlace,
): Promise<Set<string>> {
  const [from, to] = [states.scope(before.scope), states.scope(scope)];
  const rotations = await readRotations(from);
  const slots = new KeySlots(before.voters.map(([slot]) => slot));
  for (const rotation of rotations) slots.name(rotation);
  const carried = new Set<string>();
  const writes = new Writes(to);
  for (const prefix of DECIDED) await writes.remove(prefix);
  for (const { key } of policy.publishers) {
    // A successor goes on with the log; another key of that name begins one.
    const slot = slots.slotOf(key.text);
    const known = before.voters.some(([old, origin]) => old === slot && origin === key.name);
    if (slot === undefined || !known) continue;
    if (slot !== key.text) await inherit(states.scope(logScope(slot)), states.scope(logScope(key.text)));
    const name = encodeURIComponent(key.name);
    for (const kind of CARRIED) await writes.add(`${kind}/${name}`, await from.get(`${kind}/${name}`));
    const retracted = await from.get(retractionsKey(slot));
    if (retracted !== undefined) await writes.add(retractionsKey(key.text), retracted);
    carried.add(key.name);
  }
  const next = new KeySlots(policy.publishers.map(({ key }) => key.text));
  for (const rotation of rotations)
    if (next.name(rotation) === 'named')
      await writes.add(namedKey(rotation.key), await from.get(namedKey(rotation.key)));
  for (const rotation of await readRotations(to)) next.name(rotation);
  await writes.add('rotations', Buffer.from(JSON.stringify(next.kept())));
  await writes.copy(from, 'names/');
  await writes.end();
  return carried;
}

async function inherit(from: FollowState, to: FollowState): Promise<void> {
  const writes = new Writes(to);
  await writes.remove('');
  await writes.copy(from, '');
  await writes.end();
}

/** Of a scope that is left. */
async function empty(state: FollowState): Promise<void> {
  const writes = new Writes(state);
  for (const prefix of DECIDED) await writes.remove(prefix);
  await writes.end();
}

/** Many, some at a time. */
class Writes {
  readonly #state: FollowState;
  #writes: StateWrite[] = [];
  #bytes = 0;

  constructor(state: FollowState) {
    this.#state = state;
  }

  async add(key: string, value: Uint8Array | undefined): Promise<void> {
    this.#writes.push([key, value]);
    this.#bytes += value?.length ?? 0;
    if (this.#bytes >= WRITE_BYTES || this.#writes.length >= WRITE_KEYS) await this.end();
  }

  async copy(from: FollowState, prefix: string): Promise<void> {
    for await (const [key, value] of from.entries(prefix)) await this.add(key, value);
  }

  async remove(prefix: string): Promise<void> {
    for await (const [key] of this.#state.entries(prefix)) await this.add(key, undefined);
  }

  async end(): Promise<void> {
    const writes = this.#writes;
    [this.#writes, this.#bytes] = [[], 0];
    if (writes.length > 0) await this.#state.write(writes);
  }
}
