/**
 * Keeps bytes of one blob coming as long as its flight wants them: starts and stops lanes as `source-race.ts` decides,
 * remembers who failed and when to try again. Steered by the flight (`begin`, `halt`, `close`), by time and by what the
 * lanes report; every loser is aborted.
 */
import type { Clock, Randomness, Timer } from '../core/clock.ts';
import { IntegrityError, NotFoundError, UnavailableError } from '../core/errors.ts';
import type { FactEmitter } from '../core/facts.ts';
import { limits } from '../core/limits.ts';
import type { Holder, PeerNetwork } from '../network/peer-network.ts';
import type { Upstream } from '../upstream/upstream.ts';
import type { MemoryBudget } from './memory-budget.ts';
import { createHolderSearch } from './holder-search.ts';
import { viewLane } from './lane-view.ts';
import { createPeerTrust } from './peer-trust.ts';
import type { RaceMemory } from './race-memory.ts';
import {
  createLane,
  type Lane,
  type LaneDeps,
  runPeersLane,
  runTrial,
  runUpstreamLane,
  type SupplyTarget,
} from './source-lanes.ts';
import { type Move, nextMoves, type RaceView } from './source-race.ts';
import type { StrangerGate } from './stranger-gate.ts';
import { isStalled } from './source-progress.ts';
import { createUpstreamTurns } from './upstream-turns.ts';

export interface SupplyDeps {
  readonly upstream: Upstream;
  readonly network: PeerNetwork;
  readonly clock: Clock;
  readonly randomness: Randomness;
  readonly facts: FactEmitter;
  readonly memory: MemoryBudget;
  readonly races: RaceMemory;
  readonly gate: StrangerGate;
  /** Whom to ask for public blobs. */
  readonly ask: 'all' | 'lan' | 'none';
  readonly offline: boolean;
}

export interface Supply {
  /** Bytes from `target.here` on are wanted. `solo`: of one source at a time. */
  begin(solo: boolean): void;
  /** All is here: starts nothing more. */
  rest(): void;
  /** No more bytes; what was learned of the sources stays. */
  halt(): void;
  /** The upstream's whole did not fit. */
  wrongUpstream(error: IntegrityError): void;
  /** A peer's whole did not fit. */
  convict(peerId: string, actual: string): void;
  /** Stops asking peers: the blob turned out to be private. */
  becomePrivate(): void;
  /** What was tried, newest last. */
  readonly attempts: readonly string[];
  /** For how long a peer's lanes ran, ms. */
  timeOf(peerId: string): number;
  close(): Promise<void>;
}

export function createSupply(deps: SupplyDeps, target: SupplyTarget): Supply {
  const { clock, randomness, facts, races, gate } = deps;
  const { race, fetch } = limits;
  const lanes = new Map<number, Lane>();
  const tasks = new Set<Promise<void>>();
  const times = new Map<string, number>();
  const attempts: string[] = [];
  let nextId = 1;
  let running = false;
  let considering = false;
  let solo = false;
  let startedAt = 0;
  /** Each second request beside a stalled one doubles the patience with the next. */
  let doubled = 1;
  let progressAt = 0;
  let timer: Timer | undefined;

  const note = (what: string): void => {
    attempts.push(what);
    if (attempts.length > fetch.attemptsTold) attempts.shift();
  };
  const turns = createUpstreamTurns({
    clock,
    randomness,
    usable: () => !deps.offline && target.url !== '',
    note,
  });
  const search = createHolderSearch({
    network: deps.network,
    clock,
    randomness,
    digest: target.digest,
    reach: () => (target.private ? 'none' : deps.ask),
    size: () => target.size,
    upstreamTrouble: () => turns.state() !== 'ready' || turns.failing || isSilent() || !upstreamHealthy(deps),
    note,
    changed: () => consider(),
  });
  const trust = createPeerTrust({ ...deps, candidates: search.candidates, digest: target.digest, note });
  const laneDeps: LaneDeps = {
    ...deps,
    target,
    onProgress: () => consider(),
    onPeerFailure: (lane, peerId, error) => {
      const hurt = trust.failed(peerId, error);
      if (hurt && lane.peers.some((peer) => peer.peerId === peerId && !peer.proven)) strangerFailed();
    },
  };

  /** It was well a minute ago; that it hangs now is known only when it has failed. */
  function isSilent(): boolean {
    const asked = [...lanes.values()].find(({ kind }) => kind === 'upstream');
    return asked !== undefined && isStalled(asked.meter, clock.monotonic(), race.silence) && !asked.blocked;
  }

  const strangerFailed = (): void => gate.failed(target.digest, clock.monotonic());

  function view(): RaceView {
    const now = clock.monotonic();
    const upstreamRate = races.upstreamRate(now);
    const elapsed = now - startedAt;
    // A large blob is worth knowing all holders first: it is taken from several at once.
    const gather = search.asking && elapsed < race.gather && isLarge();
    return {
      elapsed,
      size: target.size,
      here: target.here,
      solo,
      lanes: [...lanes.values()].map((lane) => viewLane(lane, { now, upstreamRate, doubled })),
      asking: search.asking,
      proven: gather ? 0 : search.usable(now, true).length,
      strangers: gate.allows(target.digest, now) ? search.usable(now, false).length : 0,
      upstream: turns.state(),
      upstreamRate,
      budget: races.budget(),
      mayHedge: races.mayHedge() && search.usable(now, true).some(({ load }) => load < race.hedgeLoad),
    };
  }

  function consider(): void {
    if (!running || considering) return;
    considering = true;
    try {
      search.look();
      for (const move of nextMoves(view())) make(move);
      if (isLarge()) joinLate();
      if (running && lanes.size === 0) starve();
      else if (running && isSilent()) search.again(clock.monotonic());
    } finally {
      considering = false;
    }
    plan();
  }

  function make(move: Move): void {
    if (move.move === 'stop') {
      const lane = lanes.get(move.lane);
      if (lane === undefined) return;
      if (move.lost) trust.lost(lane);
      if (move.lost && lane.kind === 'stranger') strangerFailed();
      stop(lane);
    } else if (move.move === 'upstream') {
      if ([...lanes.values()].some(({ kind }) => kind === 'upstream')) doubled *= 2;
      start('upstream', [], async (lane) => {
        const found = await runUpstreamLane(laneDeps, lane, turns.etags);
        if (!found) turns.absent();
      });
    } else if (move.move === 'peers') startPeers(move.hedge);
    else startStranger();
  }

  const isLarge = (): boolean =>
    !solo && target.size !== undefined && target.size - target.here >= race.parallelMinBytes;

  function startPeers(hedge: boolean): void {
    const { size } = target;
    const peers = search.candidates
      .pick(clock.monotonic(), true, isLarge() && !hedge ? race.parallelPeers : 1)
      .filter(({ load }) => !hedge || load < race.hedgeLoad);
    if (peers.length === 0) return;
    if (hedge) races.spendHedge();
    const end = hedge ? Math.min(race.winBytes, size ?? race.winBytes) : size;
    start('peers', peers, (lane) => runPeersLane(laneDeps, lane, end));
  }

  /** Peers that are found while others give a large blob give it with them. */
  function joinLate(): void {
    const lane = [...lanes.values()].find(({ join }) => join !== undefined);
    if (lane === undefined) return;
    const now = clock.monotonic();
    search.more(now);
    const room = race.parallelPeers - (lane.peers.length - lane.gone);
    for (const peer of search.candidates.pick(now, true, room)) {
      search.candidates.using(peer.peerId, true);
      // What `stop` adds is all the time of the lane.
      times.set(peer.peerId, (times.get(peer.peerId) ?? 0) - (now - lane.meter.startedAt));
      lane.join?.(peer);
    }
  }

  function startStranger(): void {
    const now = clock.monotonic();
    const [stranger] = search.candidates.pick(now, false, 1);
    if (stranger === undefined) return;
    const { size } = target;
    if (size === undefined || size > race.strangerHeldBytes) {
      target.withhold();
      start('peers', [stranger], (lane) => runPeersLane(laneDeps, lane, size));
      return;
    }
    start('stranger', [stranger], async (lane) => {
      try {
        const outcome = await runTrial(laneDeps, lane, size);
        if (outcome === 'fits') return;
        if (outcome === 'no-memory') search.candidates.pause(stranger.peerId, now + 1000);
        else {
          lane.discarded += size;
          strangerFailed();
          trust.convict(stranger.peerId, outcome.wrong);
        }
      } catch (error) {
        lane.discarded += lane.meter.delivered;
        if (!lane.controller.signal.aborted) laneDeps.onPeerFailure(lane, stranger.peerId, error);
      }
    });
  }

  function start(kind: Lane['kind'], peers: readonly Holder[], work: (lane: Lane) => Promise<void>): void {
    const lane = createLane(nextId++, kind, { now: clock.monotonic(), offset: target.here }, peers);
    lanes.set(lane.id, lane);
    for (const { peerId } of peers) search.candidates.using(peerId, true);
    const task = run(lane, work);
    tasks.add(task);
    void task.finally(() => tasks.delete(task));
  }

  async function run(lane: Lane, work: (lane: Lane) => Promise<void>): Promise<void> {
    let failure: unknown;
    try {
      await work(lane);
    } catch (error) {
      failure = error;
    }
    const ended = !lane.controller.signal.aborted && lanes.has(lane.id);
    stop(lane);
    settle(lane);
    if (ended && lane.kind === 'upstream') turns.over(lane.fresh, failure);
    if (failure instanceof IntegrityError && lane.kind === 'upstream')
      trust.mismatch(failure.actual, failure.source);
    consider();
  }

  function stop(lane: Lane): void {
    if (!lanes.delete(lane.id)) return;
    lane.controller.abort(new Error('this source is not needed any more'));
    for (const { peerId } of lane.peers) {
      search.candidates.using(peerId, false);
      times.set(peerId, (times.get(peerId) ?? 0) + clock.monotonic() - lane.meter.startedAt);
    }
    if (lane.fresh > 0) {
      progressAt = clock.monotonic();
      doubled = 1;
    }
    if (lane.kind === 'upstream') races.noteUpstream(lane.meter, clock.monotonic());
  }

  function settle(lane: Lane): void {
    const source = lane.kind === 'upstream' ? 'upstream' : 'peer';
    if (lane.discarded === 0) return;
    if (source === 'peer') gate.discarded(lane.discarded, clock.monotonic());
    facts.emit('fetch:discarded', { digest: target.digest, bytes: lane.discarded, source });
    lane.discarded = 0;
  }

  /** Nothing runs: either something will come, or this is the end. */
  function starve(): void {
    const now = clock.monotonic();
    const tried = attempts.join('; ');
    const state = turns.state();
    if (now - progressAt >= fetch.giveUp) {
      target.gaveUp(new UnavailableError(`no source gives ${target.digest}: ${tried}`, attempts));
    } else if (state === 'never' && search.exhausted(now)) {
      if (turns.wrong !== undefined) target.gaveUp(turns.wrong);
      else if (turns.isAbsent)
        target.gaveUp(new NotFoundError(`${target.url} does not exist, and no peer has it`));
      else if (!search.possible)
        target.gaveUp(new UnavailableError(`nobody can be asked for ${target.digest}`, attempts));
      else search.again(now);
    } else if (!search.busy) search.again(now);
  }

  function rest(): void {
    running = false;
    timer?.cancel();
  }

  function plan(): void {
    timer?.cancel();
    timer = undefined;
    if (!running) return;
    const now = clock.monotonic();
    const moments = [now + 1000, startedAt + race.upstreamStart, turns.notBefore, search.nextRound];
    const pauseEnd = search.candidates.nextPauseEnd(now) ?? Infinity;
    const next = Math.min(pauseEnd, ...moments.filter((at) => at > now));
    timer = clock.setTimer(consider, next - now);
  }

  return {
    begin(alone) {
      running = true;
      solo = alone;
      startedAt = progressAt = clock.monotonic();
      consider();
    },
    rest,
    halt() {
      rest();
      for (const lane of lanes.values()) {
        stop(lane);
        settle(lane);
      }
    },
    wrongUpstream: (error) => turns.wrongWhole(error),
    convict: (peerId, actual) => trust.convict(peerId, actual),
    becomePrivate() {
      search.stop();
      for (const lane of lanes.values()) if (lane.kind !== 'upstream') stop(lane);
      consider();
    },
    attempts,
    timeOf: (peerId) => times.get(peerId) ?? 0,
    async close() {
      this.halt();
      search.stop();
      await Promise.allSettled(tasks);
    },
  };
}

function upstreamHealthy({ upstream, clock }: SupplyDeps): boolean {
  const { lastSuccessAt } = upstream.status();
  return lastSuccessAt !== undefined && clock.now() - lastSuccessAt <= limits.upstream.healthyWithin;
}
