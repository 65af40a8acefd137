/**
 * Which nodes run: a node is up while nothing keeps it down (churn, a crash, a restart, each by its name). Must always hold:
 * a life begins only when the one before has ended.
 */
import type { SimulatedWorld, Member } from '../nodes/simulated-world.ts';
import type { Tell } from './model-event.ts';

export interface Rejoin {
  readonly address: 'keep' | 'new';
  readonly state: 'keep' | 'wipe';
}

const KEEP: Rejoin = { address: 'keep', state: 'keep' };

export class NodeLives {
  readonly #world: Pick<SimulatedWorld, 'kernel' | 'members'>;
  readonly #tell: Tell;
  /** By node: what keeps it down. */
  readonly #down = new Map<number, Set<string>>();
  readonly #rejoin = new Map<number, Rejoin>();
  readonly #stopping = new Set<number>();
  /** By node and fault, ms. */
  readonly #skews = new Map<number, Map<string, number>>();

  constructor(world: Pick<SimulatedWorld, 'kernel' | 'members'>, tell: Tell) {
    this.#world = world;
    this.#tell = tell;
  }

  isUp(node: number): boolean {
    return this.#member(node).owner !== undefined && !this.#stopping.has(node);
  }

  /** Before the run: it begins down for this reason. */
  beginDown(node: number, reason: string): void {
    this.#reasons(node).add(reason);
  }

  /** Call these in events of the world's. */
  start(node: number): void {
    if (this.#reasons(node).size > 0 || this.#stopping.has(node)) return;
    const { kernel } = this.#world;
    const member = this.#member(node);
    if (member.owner !== undefined) return;
    const rejoin = this.#rejoin.get(node) ?? KEEP;
    this.#rejoin.delete(node);
    if (rejoin.state === 'wipe') this.#tell(kernel.now, { kind: 'node-wiped', node });
    const starting = member.start(rejoin);
    this.#setSkew(node);
    const { owner } = member;
    void this.#after(starting, () => {
      if (member.owner !== owner || owner === undefined) return;
      const { incarnation } = owner;
      this.#tell(kernel.now, { kind: 'node-up', node, incarnation, peerId: member.peerId });
    });
  }

  crash(node: number, reason: string): void {
    this.#reasons(node).add(reason);
    const member = this.#member(node);
    if (member.owner === undefined) return;
    member.crash();
    this.#stopping.delete(node);
    this.#tell(this.#world.kernel.now, { kind: 'node-down', node, how: 'crash' });
  }

  /** Closes in order. */
  leave(node: number, reason: string): void {
    this.#reasons(node).add(reason);
    const { kernel } = this.#world;
    const member = this.#member(node);
    if (member.owner === undefined || this.#stopping.has(node)) return;
    // Not up yet: there is nothing that could close.
    if (member.node === undefined) return this.crash(node, reason);
    this.#stopping.add(node);
    this.#tell(kernel.now, { kind: 'node-down', node, how: 'leave' });
    void this.#after(member.stop(), () => {
      if (this.#stopping.delete(node)) this.start(node);
    });
  }

  /** The reason is gone. */
  release(node: number, reason: string, rejoin: Rejoin = KEEP): void {
    if (!this.#reasons(node).delete(reason)) return;
    const before = this.#rejoin.get(node) ?? KEEP;
    this.#rejoin.set(node, {
      address: rejoin.address === 'new' ? 'new' : before.address,
      state: rejoin.state === 'wipe' ? 'wipe' : before.state,
    });
    this.start(node);
  }

  /** Its wall clock is so far ahead, ms; 0: no longer by this reason. */
  skew(node: number, reason: string, ms: number): void {
    const skews = this.#skews.get(node) ?? new Map<string, number>();
    if (ms === 0) skews.delete(reason);
    else skews.set(reason, ms);
    this.#skews.set(node, skews);
    this.#setSkew(node);
  }

  async #after(work: Promise<unknown>, then: () => void): Promise<void> {
    try {
      await work;
      then();
    } catch (error) {
      this.#world.kernel.fail(error as Error);
    }
  }

  #setSkew(node: number): void {
    const { owner } = this.#member(node);
    if (owner === undefined) return;
    owner.skew = [...(this.#skews.get(node)?.values() ?? [])].reduce((sum, ms) => sum + ms, 0);
  }

  #reasons(node: number): Set<string> {
    const known = this.#down.get(node) ?? new Set<string>();
    this.#down.set(node, known);
    return known;
  }

  #member(node: number): Member {
    return this.#world.members[node] as Member;
  }
}
