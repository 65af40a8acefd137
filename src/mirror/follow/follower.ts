/**
 * Follows the publishers of a policy and says what is to be believed. Everything is wired here; the rules are elsewhere. Must
 * always hold: nothing counts that did not pass `admission.ts`, and what was believed is read from disk before anything new.
 */
import { policyKey } from '../../core/belief/policy-key.ts';
import type { Clock, Randomness } from '../../core/clock.ts';
import type { Digest } from '../../core/digest.ts';
import type { FactEmitter } from '../../core/facts.ts';
import { limits } from '../../core/limits.ts';
import type { Policy } from '../../core/log/policy.ts';
import type { ProjectName } from '../../core/project-name.ts';
import type { IndexChannel } from '../../network/index-channel.ts';
import { Gate } from '../../store/gate.ts';
import type { IndexMaps } from '../../store/index-map/index-maps.ts';
import { Admission } from './admission.ts';
import { AgreedFormat } from './agreed-format.ts';
import { createIndexAnswers } from './answer-index.ts';
import { AskBundles } from './ask-bundles.ts';
import { createIndexAsker, SELF } from './ask-index.ts';
import type { BeliefBook } from './belief-book.ts';
import { carryVoters, readRotations } from './carry-voters.ts';
import { FollowLoop } from './follow-loop.ts';
import type { FollowStates } from './follow-state.ts';
import { FollowTime } from './follow-time.ts';
import type { FollowedMap } from './followed-map.ts';
import { createFollowedSource } from './followed-source.ts';
import { FollowedVoter } from './followed-voter.ts';
import { createGossipGate } from './gossip-gate.ts';
import { getHeads, putHeads } from './head-values.ts';
import { HeadReader } from './head-reader.ts';
import { HearHeads } from './hear-heads.ts';
import type { IndexHead } from './index-head.ts';
import type { IndexSource, OwnIndexSource } from './index-source.ts';
import { MisconductDesk } from './misconduct-desk.ts';
import { NameLists } from './name-lists.ts';
import { namedLists, openBook, openVoters } from './open-voters.ts';
import { PastBundles } from './past-bundles.ts';
import { Refusals } from './refusals.ts';
import { silenceAlarm } from './silent-record.ts';
import { Alarms, RetractionDesk, TakeRecord } from './take-record.ts';

export interface FollowerDeps {
  readonly clock: Clock;
  readonly randomness: Randomness;
  readonly facts: FactEmitter;
  readonly channel: IndexChannel;
  readonly maps: IndexMaps;
  readonly states: FollowStates;
  /** This node's own publisher. */
  readonly own?: OwnIndexSource | undefined;
  /** A public blob that is here: the lists of an own publisher. */
  readonly blob?: ((digest: Digest) => Promise<Uint8Array | undefined>) | undefined;
  /** Told of what other publishers' newest records say of the names that changed. */
  readonly onHint?: ((hint: VoteHint) => void) | undefined;
  /** Told of each signed head that a peer shows, before it is judged. */
  readonly onAnnouncement?: ((announcement: Uint8Array) => void) | undefined;
}

interface VoteHint {
  readonly publisher: string;
  readonly name: ProjectName;
  readonly serial: number;
  readonly digest: Digest;
}

export interface FollowerOptions {
  readonly policy: Policy;
  /** As records name it. */
  readonly upstream: string;
}

export interface Follower extends IndexHead, AsyncDisposable {
  /** Begins to listen, to answer and to ask. */
  start(): void;
}

export async function createFollower(deps: FollowerDeps, options: FollowerOptions): Promise<Follower> {
  const { clock, facts, channel, maps, states, own } = deps;
  const { policy, upstream } = options;
  const { overrides = [], pardons = [] } = policy;
  const keys = policy.publishers.map(({ key }) => key.text);
  const scope = policyKey({ upstream, k: policy.k, keys, pardons });
  const [state, nodeState] = [states.scope(scope), states.scope('node')];
  const carried = await carryVoters(states, { policy, upstream, scope });
  const time = await FollowTime.open(clock, nodeState);
  const refusals = new Refusals(clock, facts);
  const alarms = new Alarms(facts);
  const admission = new Admission(policy, await readRotations(state));
  const retractions = new RetractionDesk(state, alarms, overrides);
  await retractions.load(keys);

  const opened = await openVoters({ maps, facts, states, state }, options, carried);
  for (const { slot, log } of opened) admission.saw(slot, log.newestRecord());
  let onFormat = (): void => undefined;
  const format = await AgreedFormat.open({
    state,
    upstream,
    k: policy.k,
    newest: () => admission.sources(),
    onDecided: () => onFormat(),
  });
  const past: PastBundles = new PastBundles((name) => book.isPending(name));
  const self = createIndexAnswers({
    sources: (): IndexSource[] => [
      ...(own === undefined ? [] : [own]),
      ...opened.map(({ log, map }) => createFollowedSource(log, map, maps)),
    ],
    misconduct: () => misconduct.proofs(),
    names: (digest) => lists.bytes(digest),
    pastBundles: (bin) => past.of(bin),
  });
  const asker = createIndexAsker({ channel, clock, self });
  const lists = new NameLists({ clock, state, asker, refusals, blob: deps.blob });
  let judging: BeliefBook | undefined;
  const misconduct = new MisconductDesk({
    state: nodeState,
    admission,
    facts,
    pardons,
    publish: (message) => channel.publish(message),
    async exclude(slot) {
      admission.exclude(slot);
      retractions.exclude(slot);
      await judging?.exclude(slot);
    },
  });
  await misconduct.load();
  const book = await openBook(state, policy, opened, { lists, format, own: own?.origin });
  for (const { slot } of opened) if (admission.isExcluded(slot)) await book.exclude(slot);
  judging = book;

  const givers = new Map<string, string>();
  const peersOf = (origin: string | undefined): string[] => {
    const giver = origin === undefined ? undefined : givers.get(origin);
    const connected = channel.peers();
    const peers = refusals.inOrder([
      ...connected.filter((peer) => peer === giver),
      ...connected.filter((peer) => peer !== giver),
    ]);
    if (own !== undefined && (origin === undefined || own.origin === origin)) peers.unshift(SELF);
    return peers;
  };
  const taking = new TakeRecord({ admission, alarms, facts, misconduct, retractions, state, k: policy.k });
  const [wholeMaps, largeDeltas] = [new Gate(1), new Gate(1)];
  const shared = { clock, asker, book, lists, refusals, upstream, format };
  const voters: FollowedVoter[] = [];
  for (const { slot, log, map } of opened)
    voters.push(
      await FollowedVoter.open({
        ...shared,
        slot,
        log,
        map,
        wholeMaps,
        largeDeltas,
        maps,
        state,
        peers: () => peersOf(log.origin),
        now: () => time.now(),
        isExcluded: () => admission.isExcluded(slot),
        async onMisconduct(proof) {
          if (!(await misconduct.take(proof))) return;
          const message = `a head of ${log.origin} contradicts what it signed before: it is no vote any more`;
          refusals.add({ origin: log.origin, code: 'LOG_FORKED', message, blame: 'publisher' });
        },
        onLog: () => taking.rotate(slot, log, log.newestRecord(), time.now()),
        onSilent(silent) {
          const counting = voters.filter((voter) => !admission.isExcluded(voter.slot));
          const all = counting.map((voter) => (voter.slot === slot ? silent : voter.silent));
          alarms.raise(silenceAlarm(log.origin, silent, all));
        },
        async onAccepted(head, changed) {
          await taking.take(slot, log, head, time.now(), voters);
          await time.write();
          await lists.keepOnly(
            new Set([...opened.flatMap((one) => namedLists(one.map)), ...book.basisScopes()]),
          );
          reader.advanced();
          if (changed !== 'all' && log.origin !== own?.origin) await hint(log.origin, map, changed);
        },
        beforeSwap: (names) =>
          past.capture(slot, names, log.announcementOf(map.head?.record.seq), (bin) => map.map.proveBin(bin)),
      }),
    );
  const hint = async (publisher: string, { map }: FollowedMap, names: readonly string[]): Promise<void> => {
    if (deps.onHint === undefined || names.length > limits.publish.hintsPerMinute) return;
    for (const name of names as ProjectName[]) {
      const entry = await map.get(name);
      if (typeof entry === 'object')
        deps.onHint({ publisher, name, serial: entry.serial, digest: entry.digest });
    }
  };
  const voterOf = (slot: string): FollowedVoter | undefined => voters.find((voter) => voter.slot === slot);
  const onNew = (voter: FollowedVoter, peer: string): void => {
    givers.set(voter.origin, peer);
    loop.kick(voter);
  };
  const hearing = new HearHeads({ admission, refusals, voterOf, onNew });
  const hear = (announcement: Uint8Array, peer: string) => {
    if (peer !== SELF) deps.onAnnouncement?.(announcement);
    return hearing.hear(announcement, peer);
  };
  const values = { channel, keysOf: (slot: string) => admission.keysOf(slot), hear };
  const loop: FollowLoop = new FollowLoop({
    clock,
    randomness: deps.randomness,
    facts,
    channel,
    refusals,
    voters,
    now: () => time.now(),
    exchange: (peer, signal) => hearing.exchange({ asker, misconduct }, peer, voters, signal),
    putHeads: (signal) => putHeads(values, voters, signal),
    getHeads: (signal) => getHeads(values, voters, signal),
    upkeep: async () => {
      taking.checkClock(time.judge(admission.signed, policy.k));
      await time.write();
    },
  });
  onFormat = () => {
    for (const voter of voters) loop.kick(voter);
  };
  const bundles = new AskBundles({
    ...shared,
    peers: () => peersOf(undefined),
    now: () => time.now(),
    async admit(announcement, peer) {
      const head = admission.admit(announcement);
      const voter = head && voterOf(head.slot);
      if (head === undefined || voter === undefined) return undefined;
      const heard = await voter.hear(head);
      if (heard === 'new') onNew(voter, peer);
      return heard === 'misconduct' ? undefined : head;
    },
  });
  const reader: HeadReader = new HeadReader({
    ...shared,
    policy,
    scope,
    admission,
    alarms,
    bundles,
    misconduct,
    retractions,
    time,
    voters,
    run: Buffer.from(deps.randomness.bytes(8)).toString('hex'),
    onDamage: () => {
      for (const voter of voters) {
        voter.suspect();
        loop.kick(voter);
      }
    },
    signal: loop.signal,
  });
  let unlisten: (() => void) | undefined;
  return Object.assign(reader, {
    start() {
      channel.serve(self);
      channel.onMessage(createGossipGate({ clock, refusals, misconduct, hear }));
      const hearOwn = (): void => {
        for (const announcement of own?.announcements(own.size - 1) ?? [])
          hear(announcement, SELF).catch((error: unknown) => refusals.caught(error, own?.origin, SELF));
      };
      unlisten = own?.onSigned(hearOwn);
      loop.start();
      hearOwn();
    },
    async [Symbol.asyncDispose]() {
      unlisten?.();
      await loop[Symbol.asyncDispose]();
      await time.write(true);
    },
  });
}
