/**
 * Which sources of a blob to start and which to stop (design/network, "Finding a blob"). A race is not won by a byte:
 * the upstream is left only for a peer that has delivered and will be done about as soon; what is slow gets a second
 * source beside it, and both run until one is 256 KiB ahead. Pure: a view in, moves out.
 */
import { limits } from '../core/limits.ts';

export interface LaneView {
  readonly id: number;
  /** `stranger`: a peer without a record, into memory of its own; nothing of it counts before its hash fits. */
  readonly kind: 'upstream' | 'peers' | 'stranger';
  /** Next byte it will bring. */
  readonly position: number;
  readonly delivered: number;
  /** Bytes a second, now. */
  readonly rate: number;
  /** Milliseconds since its start. */
  readonly age: number;
  readonly slow: boolean;
  /** Nothing for a while: `isStalled`. */
  readonly stalled: boolean;
}

export interface RaceView {
  /** Milliseconds since this fetch began. */
  readonly elapsed: number;
  readonly size: number | undefined;
  /** Bytes that are here. */
  readonly here: number;
  /** One source at a time: after a wrong whole of several senders. */
  readonly solo: boolean;
  readonly lanes: readonly LaneView[];
  /** Connected peers are still being asked. */
  readonly asking: boolean;
  /** Peers with a good record that can be used now. */
  readonly proven: number;
  readonly strangers: number;
  /** `waiting`: it failed and is tried again later. `never`: offline, absent, proven wrong, or nowhere. */
  readonly upstream: 'ready' | 'waiting' | 'never';
  readonly upstreamRate: number | undefined;
  /** How long peers may keep the upstream waiting. */
  readonly budget: number;
  readonly mayHedge: boolean;
}

export type Move =
  | { readonly move: 'stop'; readonly lane: number; readonly lost: boolean }
  | { readonly move: 'upstream' }
  | { readonly move: 'peers'; readonly hedge: boolean }
  | { readonly move: 'stranger' };

const { winBytes, winSlack, takeOver, strangerHeldBytes, upstreamStart, rateWindow } = limits.race;

export function nextMoves(view: RaceView): Move[] {
  const stops = losers(view);
  const stopped = new Set(stops.map((stop) => stop.lane));
  const lanes = view.lanes.filter(({ id }) => !stopped.has(id));
  const start = view.solo ? soloStart(view, lanes) : starts(view, lanes);
  return [...stops, ...start];
}

/** A peer has delivered enough, and will be done no later than 1.2 times the upstream's projected end. */
export function peerWins(peer: LaneView, upstream: LaneView, view: RaceView): boolean {
  const enough = Math.min(winBytes, peer.delivered + left(peer, view));
  if (peer.slow || peer.delivered < enough) return false;
  const peerEnd = view.elapsed + timeLeft(peer.position, peer.rate, view.size);
  const upstreamRate = expectedRate(upstream, view, rateWindow);
  const upstreamEnd = view.elapsed + timeLeft(upstream.position, upstreamRate, view.size);
  return Number.isFinite(peerEnd) && peerEnd <= winSlack * upstreamEnd;
}

function losers(view: RaceView): Extract<Move, { move: 'stop' }>[] {
  const lost = new Map<number, boolean>();
  const racing = view.lanes.filter(({ kind }) => kind !== 'stranger');
  for (const a of racing) {
    for (const b of racing) {
      if (a.id === b.id) continue;
      const behind = a.position - b.position >= winBytes;
      if (a.kind === 'peers' && b.kind === 'upstream') {
        if (peerWins(a, b, view) || (behind && b.slow)) lost.set(b.id, false);
      } else if (behind && (a.kind === 'upstream' || b.slow)) lost.set(b.id, b.slow);
      else if (a.stalled && b.stalled && a.kind === b.kind && a.age < b.age) lost.set(b.id, false);
    }
  }
  const others =
    view.lanes.some(({ kind, slow }) => kind !== 'stranger' && !slow) || view.upstream === 'ready';
  for (const lane of view.lanes) {
    if (lane.kind === 'stranger' && (lane.stalled || (lane.slow && others))) lost.set(lane.id, true);
    if (lane.kind === 'peers' && lane.stalled && view.proven > 0) lost.set(lane.id, true);
  }
  return [...lost].map(([lane, slow]) => ({ move: 'stop' as const, lane, lost: slow }));
}

function starts(view: RaceView, lanes: readonly LaneView[]): Move[] {
  const moves: Move[] = [];
  const upstreams = lanes.filter(({ kind }) => kind === 'upstream');
  const peers = lanes.filter(({ kind }) => kind === 'peers');
  const stranger = lanes.some(({ kind }) => kind === 'stranger');
  if (startsUpstream(view, upstreams, peers, stranger)) moves.push({ move: 'upstream' });
  const left = upstreams.length === 0 && moves.length === 0 ? Infinity : upstreamTimeLeft(view, upstreams);
  if (view.proven > 0) {
    if (peers.length === 0 && left > takeOver) moves.push({ move: 'peers', hedge: false });
    else if (peers.length === 0 && view.here < winBytes && view.mayHedge)
      moves.push({ move: 'peers', hedge: true });
    else if (peers.length === 1 && peers[0]?.slow && upstreams.length === 0 && view.upstream !== 'ready') {
      moves.push({ move: 'peers', hedge: false });
    }
  } else if (usableStrangers(view, lanes) > 0 && peers.length === 0 && !stranger && left > takeOver) {
    moves.push({ move: 'stranger' });
  }
  return moves;
}

/** What is too big to hold back wholly is taken from a stranger only when there is nothing else. */
function usableStrangers(view: RaceView, lanes: readonly LaneView[]): number {
  const small = view.size !== undefined && view.size <= strangerHeldBytes;
  const upstream = view.upstream === 'ready' || lanes.some(({ kind }) => kind === 'upstream');
  return small || !upstream ? view.strangers : 0;
}

function startsUpstream(
  view: RaceView,
  upstreams: readonly LaneView[],
  peers: readonly LaneView[],
  stranger: boolean,
): boolean {
  if (view.upstream !== 'ready') return false;
  if (upstreams.length > 0)
    return upstreams.length === 1 && upstreams[0]?.stalled === true && view.proven === 0;
  const usable = view.proven + usableStrangers(view, upstreams);
  const known = view.asking || usable + peers.length > 0 || stranger;
  if (!known) return true;
  const delivering = peers.some(
    (lane) => !lane.slow && lane.delivered >= Math.min(winBytes, lane.delivered + left(lane, view)),
  );
  return view.elapsed >= view.budget && !delivering;
}

function soloStart(view: RaceView, lanes: readonly LaneView[]): Move[] {
  if (lanes.length > 0) {
    return lanes.every(({ stalled }) => stalled) && view.upstream === 'ready' && lanes.length < 2
      ? [{ move: 'upstream' }]
      : [];
  }
  if (view.upstream === 'ready') return [{ move: 'upstream' }];
  if (view.asking) return [];
  if (view.proven > 0) return [{ move: 'peers', hedge: false }];
  return view.strangers > 0 ? [{ move: 'stranger' }] : [];
}

/** How long the upstream would still take, ms: what a late source can save. */
function upstreamTimeLeft(view: RaceView, upstreams: readonly LaneView[]): number {
  const healthy = upstreams.filter(({ slow, stalled }) => !slow && !stalled);
  if (healthy.length === 0) return upstreams.length === 0 ? 0 : Infinity;
  return Math.min(
    ...healthy.map((lane) => timeLeft(lane.position, expectedRate(lane, view, upstreamStart), view.size)),
  );
}

/** An upstream that was just asked is trusted with its usual rate for `grace` ms; an unknown one for 300 ms. */
function expectedRate(lane: LaneView, view: RaceView, grace: number): number {
  if (lane.delivered > 0) return lane.rate;
  if (lane.age < grace && view.upstreamRate !== undefined) return view.upstreamRate;
  return lane.age < upstreamStart ? Infinity : 0;
}

function left(lane: LaneView, view: RaceView): number {
  return view.size === undefined ? Infinity : Math.max(0, view.size - lane.position);
}

/** Of an unknown size only the rates can be compared: as if 1 MiB were left. */
function timeLeft(position: number, rate: number, size: number | undefined): number {
  const bytes = size === undefined ? limits.race.unit : Math.max(0, size - position);
  if (bytes === 0) return 0;
  return rate > 0 ? (bytes * 1000) / rate : Infinity;
}
