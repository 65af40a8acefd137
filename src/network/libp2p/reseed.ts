/**
 * The loop that keeps the network whole, for ever. libp2p alone does not heal: its bootstrap dials once, its reconnects give
 * up, its self-queries stop; two halves of a network that was cut stayed apart for as long as we watched.
 *
 * Every 45 s +- 50 %, however well connected: dial one remembered peer that we are not connected to, every fourth time a
 * bootstrap; when that succeeds, look up a random key, which leads to the neighbours of the other half. With fewer than 4
 * peers every 5 s, doubling to 45. With fewer peers than wanted it is looked up without a dial too. After a wake-up, a change of network or a jump of the wall clock: once, within 10 s.
 */
import type { Clock, Randomness, Timer } from '../../core/clock.ts';
import { limits } from '../../core/limits.ts';

export interface ReseedTarget {
  /** Undefined for a bootstrap given without a peer id. */
  readonly peerId: string | undefined;
  readonly address: string;
}

export interface ReseedDeps {
  readonly clock: Clock;
  readonly randomness: Randomness;
  readonly bootstraps: readonly ReseedTarget[];
  /** A remembered peer that we are not connected to. */
  remembered(): ReseedTarget | undefined;
  /** How many peers we are connected to, and how many of them are bootstraps. */
  connected(): { readonly all: number; readonly bootstraps: number };
  isConnectedTo(target: ReseedTarget): boolean;
  /** Whether it was reached. */
  dial(target: ReseedTarget, signal: AbortSignal): Promise<boolean>;
  lookUpRandomKey(signal: AbortSignal): Promise<void>;
  /** Hangs up on the bootstraps we are connected to. */
  leaveBootstraps(): Promise<void>;
  /** Changes with the network we are in. */
  networks(): string;
}

export interface Reseed extends AsyncDisposable {
  start(): void;
}

export function createReseed(deps: ReseedDeps): Reseed {
  const { clock, randomness, bootstraps } = deps;
  const { network } = limits;
  let timer: Timer | undefined;
  let watch: Timer | undefined;
  let working: Promise<void> | undefined;
  const closing = new AbortController();
  let rounds = 0;
  let wait: number = network.reseedFirst;
  let drift = clock.now() - clock.monotonic();
  let networks = deps.networks();
  let busy = false;
  let peersBefore = 0;
  /** Since the walks began. */
  let mostPeers = 0;
  let rest = 1;
  let walkAt = 0;

  const pickBootstrap = (): ReseedTarget | undefined => {
    const apart = bootstraps.filter((target) => !deps.isConnectedTo(target));
    return apart[Math.floor(randomness.float() * apart.length)];
  };
  const pick = (): readonly (ReseedTarget | undefined)[] => {
    rounds += 1;
    // Alone, whoever answers first is welcome.
    if (deps.connected().all === 0) return [deps.remembered(), pickBootstrap()];
    if (rounds % network.reseedBootstrapEvery === 0) return [pickBootstrap() ?? deps.remembered()];
    // With enough peers not in between: each reached costs everyone the messages of a look-up (12 MB an hour at 16 peers).
    const few = deps.connected().all < network.reseedFewPeers;
    return [deps.remembered() ?? (few ? pickBootstrap() : undefined)];
  };
  const round = async (): Promise<void> => {
    const targets = pick().filter((target) => target !== undefined);
    const reached = await Promise.all(targets.map((target) => deps.dial(target, closing.signal)));
    if (reached.includes(true) || wantsMore()) await deps.lookUpRandomKey(closing.signal);
    const { all, bootstraps: seeds } = deps.connected();
    if (seeds > 0 && all - seeds >= network.leaveBootstrapAt) await deps.leaveBootstraps();
  };
  /**
   * Whether to walk without a dial: a node that knows nobody but the bootstraps that it is connected to finds the others only
   * so. Each walk that brought no more of them than ever doubles the rounds to the next: they may be all there are, or all that
   * have room. Losing half of them begins it anew.
   */
  const wantsMore = (): boolean => {
    const { all } = deps.connected();
    if (all === 0 || all >= network.connectionsWanted) return false;
    const changed = all > mostPeers || all * 2 <= mostPeers;
    if (changed) rest = 1;
    else if (rounds < walkAt) return false;
    else rest = Math.min(rest * 2, all < network.reseedFewPeers ? network.reseedRestFew : network.reseedRest);
    if (changed) mostPeers = all;
    walkAt = rounds + rest;
    return true;
  };
  const schedule = (ms: number): void => {
    timer?.cancel();
    if (closing.signal.aborted) return;
    timer = clock.setTimer(() => {
      // One round at a time; the running one sets the next timer.
      if (busy) return;
      busy = true;
      working = (async () => {
        await round().catch(() => undefined);
        next();
      })();
    }, ms);
  };
  const next = (): void => {
    busy = false;
    const few = deps.connected().all < network.reseedFewPeers;
    wait = few ? Math.min(wait, network.reseedEvery) : network.reseedEvery;
    schedule(wait * (0.5 + randomness.float()));
    wait = Math.min(wait * 2, network.reseedEvery);
  };
  const look = (): void => {
    if (closing.signal.aborted) return;
    watch = clock.setTimer(look, network.wakeCheck);
    const driftNow = clock.now() - clock.monotonic();
    const networksNow = deps.networks();
    const peersNow = deps.connected().all;
    const jumped = Math.abs(driftNow - drift) >= network.wakeJump;
    const moved = networksNow !== networks;
    const lost = peersNow < peersBefore && peersNow < network.reseedFewPeers;
    drift = driftNow;
    networks = networksNow;
    peersBefore = peersNow;
    if (!jumped && !moved && !lost) return;
    wait = network.reseedFirst;
    schedule(randomness.float() * network.wakeCheck);
  };

  return {
    start() {
      look();
      // At once: a node that has just started knows nobody.
      schedule(0);
    },
    async [Symbol.asyncDispose]() {
      closing.abort(new Error('this node is closing'));
      timer?.cancel();
      watch?.cancel();
      await working;
    },
  };
}
