/**
 * Who may be served now: places for running GETs, shared fairly. Pure rules with one short queue; a place is always given
 * back, and never more than the limits run.
 */
import { limits } from '../../core/limits.ts';

/** Who asks, as far as fairness cares. */
export interface Asker {
  readonly peerId: string;
  /** The public network it comes from (/24, /48); undefined on a LAN of ours. */
  readonly group: string | undefined;
  /** LAN or remembered: some places are kept for these. */
  readonly privileged: boolean;
  /** We got verified bytes from it, or it is privileged. */
  readonly proven: boolean;
  /** 0 is served before 1 before 2. */
  readonly priority: 0 | 1 | 2;
}

export interface Place {
  /** Gives the place back, or leaves the queue. Twice is allowed. */
  leave(): void;
  /** It is served now, not waiting. */
  readonly running: boolean;
  /** Whether somebody waits who could have this place. */
  readonly wanted: boolean;
  /** Goes to the end of the queue; `entered` is called again. */
  requeue(entered: () => void): void;
}

export interface GetSlots {
  /** Calls `entered` at once or later. Undefined when too many wait already: BUSY. */
  enter(asker: Asker, entered: () => void): Place | undefined;
  readonly active: number;
  readonly waiting: number;
  /** 0 idle to 255 full, as HAVE tells it. */
  readonly load: number;
}

interface Entry {
  readonly asker: Asker;
  entered: () => void;
  state: 'waiting' | 'active' | 'left';
}

export function createGetSlots(): GetSlots {
  const active = new Set<Entry>();
  const waiting: Entry[] = [];

  /** Whether one more of this asker may run, were `without` not there. */
  const fits = (asker: Asker, without?: Entry): boolean => {
    let all = 0;
    let common = 0;
    let ofPeer = 0;
    let ofGroup = 0;
    for (const entry of active) {
      if (entry === without) continue;
      all++;
      if (!entry.asker.privileged) common++;
      if (entry.asker.peerId === asker.peerId) ofPeer++;
      if (asker.group !== undefined && entry.asker.group === asker.group) ofGroup++;
    }
    const { gets, getsKept, getsPerPeer, getsPerStranger, getsPerGroup } = limits.blob;
    return (
      all < gets &&
      (asker.privileged || common < gets - getsKept) &&
      ofPeer < (asker.proven ? getsPerPeer : getsPerStranger) &&
      ofGroup < getsPerGroup
    );
  };
  const start = (entry: Entry): void => {
    entry.state = 'active';
    active.add(entry);
    entry.entered();
  };
  const fill = (): void => {
    for (const priority of [0, 1, 2]) {
      for (let i = 0; i < waiting.length; i++) {
        const entry = waiting[i] as Entry;
        if (entry.asker.priority !== priority || !fits(entry.asker)) continue;
        waiting.splice(i--, 1);
        start(entry);
      }
    }
  };
  const place = (entry: Entry): Place => ({
    leave() {
      if (entry.state === 'left') return;
      if (entry.state === 'waiting') waiting.splice(waiting.indexOf(entry), 1);
      const ran = active.delete(entry);
      entry.state = 'left';
      if (ran) fill();
    },
    get running() {
      return entry.state === 'active';
    },
    get wanted() {
      return waiting.some((other) => fits(other.asker, entry));
    },
    requeue(entered) {
      if (entry.state !== 'active') return;
      active.delete(entry);
      entry.state = 'waiting';
      entry.entered = entered;
      waiting.push(entry);
      fill();
    },
  });
  return {
    enter(asker, entered) {
      const entry: Entry = { asker, entered, state: 'waiting' };
      if (fits(asker)) {
        start(entry);
        return place(entry);
      }
      const ofPeer = waiting.filter((other) => other.asker.peerId === asker.peerId).length;
      if (waiting.length >= limits.blob.waiting || ofPeer >= limits.blob.waitingPerPeer) return undefined;
      waiting.push(entry);
      return place(entry);
    },
    get active() {
      return active.size;
    },
    get waiting() {
      return waiting.length;
    },
    get load() {
      return Math.min(255, Math.round((255 * active.size) / limits.blob.gets));
    },
  };
}
