/**
 * One direction of a connection, by fixed rules of TCP: a window that doubles each round trip, loss as delay, and a
 * retransmission timer that doubles while nothing comes back. Bytes arrive once and in order or not at all.
 */
import type { Kernel, KernelEvent } from '../kernel/kernel.ts';
import type { AccessLink, LinkSource } from './access-link.ts';
import { kernelWait, RoundTrip } from './round-trip.ts';
import { BATCH_BYTES, SEGMENT_BYTES, wireSize, type Segment } from './segment.ts';

/** Not yet acknowledged, sent or not; beyond it the sender is told to wait. */
export const SEND_BUFFER = 262_144;
const FIRST_WINDOW = 10 * SEGMENT_BYTES;
const LARGEST_WINDOW = 4 * 2 ** 20;
const IDLE = 1_000_000;
/** Linux gives up after 15 retransmissions. */
const GIVE_UP = 924_600_000;

/** What lies between the two ends. */
export interface Path {
  /** The fate of a packet that is sent now. */
  forward(): 'pass' | 'drop' | 'reject';
  /** The same for one that comes back, an acknowledgement. */
  back(): 'pass' | 'drop';
  /** Microseconds from end to end, drawn anew for each packet. */
  latency(): number;
  latencyBack(): number;
  /** Whether a segment that goes again is lost. */
  loses(): boolean;
  /** Segments that pass before one is lost, drawn anew for each loss; Infinity: none is. */
  untilLoss(): number;
  /** Bytes a second of the slower line; may be infinite. */
  readonly rate: number;
  readonly uplink: AccessLink;
  readonly downlink: AccessLink;
}

export interface FlowEnds {
  /** False: nobody is there to take it; it counts as lost. The far end calls `acknowledge` once it took it. */
  arrived(segment: Segment): boolean;
  /** There is room again for what the sender was told to wait with. */
  drained(): void;
  /** A reset came back for what was sent. */
  refused(): void;
  /** Nothing came back for a quarter of an hour. */
  expired(): void;
}

export class Flow implements LinkSource {
  readonly #kernel: Kernel;
  readonly #path: Path;
  readonly #ends: FlowEnds;
  readonly #roundTrip = new RoundTrip();
  #unsent: Uint8Array[] = [];
  #unsentBytes = 0;
  #ending = false;
  #endSent = false;
  #inFlight = 0;
  #inFlightBytes = 0;
  /** They, or their acknowledgements, never arrived. In order, but those that were delivered may stand anywhere. */
  #lost: Segment[] = [];
  /** The lost may go again. */
  #resends = false;
  #window = FIRST_WINDOW;
  /** Segments that will pass; then one is lost. Undefined: not drawn yet. */
  #untilLoss: number | undefined;
  #lastSent = -Infinity;
  #lastArrival = 0;
  #retry: KernelEvent | undefined;
  /** Since when nothing came back. */
  #silentSince: number | undefined;
  /** Waits for the timer: nothing is sent meanwhile. */
  #stalled = false;
  /** The timer was due: one segment goes, to see whether it passes. */
  #probing = false;
  #paused = false;
  #full = false;
  #ended = false;

  constructor(kernel: Kernel, path: Path, ends: FlowEnds) {
    this.#kernel = kernel;
    this.#path = path;
    this.#ends = ends;
  }

  /** Of the handshake: the first round trip and the earliest moment at which anything can arrive. */
  open(roundTrip: number, earliest: number): void {
    this.#roundTrip.sample(roundTrip);
    this.#lastArrival = earliest;
  }

  /** Not sent, or not acknowledged. */
  get bufferedBytes(): number {
    return this.#unsentBytes + this.#inFlightBytes;
  }

  /** False: wait for `drained`. */
  write(bytes: Uint8Array): boolean {
    this.#unsent.push(bytes);
    this.#unsentBytes += bytes.length;
    this.#full = this.bufferedBytes >= SEND_BUFFER;
    return !this.#full;
  }

  /** After what was written. */
  end(): void {
    this.#ending = true;
  }

  /** Nothing more leaves, arrives or is awaited. */
  close(): void {
    this.#ended = true;
    this.#unsent = [];
    this.#unsentBytes = 0;
    this.#lost = [];
    if (this.#retry) this.#kernel.cancel(this.#retry);
    this.#retry = undefined;
  }

  /** The far end's window is closed. */
  pause(paused: boolean): void {
    this.#paused = paused;
    if (!paused) this.pump();
  }

  /** Sends what may be sent. */
  pump(): void {
    if (this.nextSize() !== undefined) this.#path.uplink.request(this);
  }

  nextSize(): number | undefined {
    const again = this.#resends ? this.#lost[0] : undefined;
    const bytes = again ? again.bytes.length : this.#nextBytes();
    return bytes === undefined ? undefined : wireSize(bytes);
  }

  #nextBytes(): number | undefined {
    if (this.#ended || this.#stalled || this.#paused) return undefined;
    if (this.#unsentBytes === 0) return this.#ending && !this.#endSent ? 0 : undefined;
    const { now } = this.#kernel;
    if (this.#inFlight === 0 && now - this.#lastSent >= IDLE) this.#window = FIRST_WINDOW;
    const room = Math.floor(this.#window) - this.#inFlightBytes;
    if (room <= 0) return undefined;
    // What is lost travels alone.
    this.#untilLoss ??= this.#path.untilLoss();
    const batch = Math.min(BATCH_BYTES, Math.max(1, this.#untilLoss) * SEGMENT_BYTES);
    return Math.min(this.#unsentBytes, room, batch);
  }

  send(end: number): void {
    const { now } = this.#kernel;
    const again = this.#resends ? this.#lost.shift() : undefined;
    const segment = again ?? this.#cut();
    segment.sentAt = now;
    segment.repeated ||= again !== undefined;
    this.#lastSent = now;
    // One goes ahead; the others follow when it came through.
    if (this.#probing) this.#resends = false;
    if (!again) {
      this.#inFlight++;
      this.#inFlightBytes += segment.bytes.length;
    }
    switch (this.#path.forward()) {
      case 'drop':
        return this.#lose(segment);
      case 'reject':
        return this.#refuse();
      case 'pass': {
        const delay = this.#lossDelay(segment);
        segment.delayed = delay > 0;
        const arrival = end + this.#path.latency() + delay;
        this.#lastArrival = Math.max(this.#lastArrival, arrival);
        this.#kernel.scheduleInline(this.#lastArrival - now, 'deliver', () => this.#reach(segment));
      }
    }
  }

  #cut(): Segment {
    const size = this.#nextBytes() ?? 0;
    const parts: Uint8Array[] = [];
    let missing = size;
    while (missing > 0) {
      const first = this.#unsent[0] as Uint8Array;
      if (first.length <= missing) {
        parts.push(first);
        this.#unsent.shift();
        missing -= first.length;
      } else {
        parts.push(first.subarray(0, missing));
        this.#unsent[0] = first.subarray(missing);
        missing = 0;
      }
    }
    this.#unsentBytes -= size;
    const last = this.#ending && this.#unsentBytes === 0;
    this.#endSent ||= last;
    const bytes = parts.length === 1 ? (parts[0] as Uint8Array) : Buffer.concat(parts);
    return { bytes, last, sentAt: 0, delivered: false, repeated: false, delayed: false };
  }

  /** How much later it comes because copies of it were lost. */
  #lossDelay({ bytes }: Segment): number {
    this.#untilLoss ??= this.#path.untilLoss();
    if (this.#untilLoss > 0) {
      const segments = Math.max(1, Math.ceil(bytes.length / SEGMENT_BYTES));
      this.#untilLoss = Math.max(0, this.#untilLoss - segments);
      return 0;
    }
    this.#untilLoss = undefined;
    let delay = 0;
    let wait = this.#roundTrip.timeout;
    do {
      const room = Math.min(this.#unsentBytes, this.#window - this.#inFlightBytes);
      if (delay === 0 && room >= 3 * SEGMENT_BYTES) {
        delay = this.#roundTrip.smoothed;
        this.#window = Math.max(2 * SEGMENT_BYTES, this.#window / 2);
      } else {
        delay += wait;
        wait = Math.min(2 * wait, 120_000_000);
        this.#window = FIRST_WINDOW;
      }
    } while (this.#path.loses());
    return delay;
  }

  /** It is at the far end's line. */
  #reach(segment: Segment): void {
    if (this.#ended) return;
    const { downlink } = this.#path;
    if (downlink.unlimited) return this.#take(segment);
    // A source of its own: what waits before the far end's line competes there.
    this.#atDownlink.push(segment);
    downlink.request(this.#downlinkSource);
  }

  readonly #atDownlink: Segment[] = [];
  readonly #downlinkSource: LinkSource = {
    nextSize: () => this.#atDownlink[0] && wireSize(this.#atDownlink[0].bytes.length),
    send: (end) => {
      const segment = this.#atDownlink.shift() as Segment;
      this.#kernel.scheduleInline(end - this.#kernel.now, 'deliver', () => this.#take(segment));
    },
  };

  #take(segment: Segment): void {
    if (this.#ended) return;
    if (segment.delivered) this.acknowledge(segment);
    else if (!this.#ends.arrived(segment)) this.#lose(segment);
  }

  /** The far end took it: the acknowledgement is on its way. */
  acknowledge(segment: Segment): void {
    if (this.#ended) return;
    segment.delivered = true;
    if (this.#path.back() === 'drop') {
      // The sender does not know: it goes on until its timer.
      this.#lost.push(segment);
      this.#awaitRetry();
      return;
    }
    this.#kernel.scheduleInline(this.#path.latencyBack(), 'deliver', () => this.#acknowledged(segment));
  }

  #acknowledged(segment: Segment): void {
    if (this.#ended) return;
    if (!segment.repeated && !segment.delayed) this.#roundTrip.sample(this.#kernel.now - segment.sentAt);
    this.#settle(segment);
    // It stands for all that arrived before it.
    for (const one of this.#lost) if (one.delivered) this.#settle(one);
    this.#lost = this.#lost.filter(({ delivered }) => !delivered);
    if (this.#lost.length === 0 || segment.repeated) this.#recover();
    if (this.#full && this.bufferedBytes < SEND_BUFFER) {
      this.#full = false;
      this.#ends.drained();
    }
    if (segment.last && this.#lost.length === 0) this.close();
    else this.pump();
  }

  #settle({ bytes }: Segment): void {
    this.#inFlight--;
    this.#inFlightBytes -= bytes.length;
    const product = (this.#path.rate * this.#roundTrip.smoothed) / 1e6;
    const largest = Math.min(LARGEST_WINDOW, Math.max(product, FIRST_WINDOW));
    this.#window = Math.min(largest, this.#window + bytes.length);
  }

  #recover(): void {
    this.#silentSince = undefined;
    this.#probing = false;
    this.#stalled = false;
    this.#resends = this.#lost.length > 0;
    if (this.#retry) this.#kernel.cancel(this.#retry);
    this.#retry = undefined;
  }

  /** It never arrives: wait for the timer and send it again. */
  #lose(segment: Segment): void {
    this.#lost.unshift(segment);
    this.#stalled = true;
    this.#resends = false;
    this.#awaitRetry();
  }

  #awaitRetry(): void {
    if (this.#retry) return;
    const { now } = this.#kernel;
    // The first is a tail loss probe, after which the timer begins anew.
    const isProbe = this.#silentSince === undefined;
    this.#silentSince ??= now;
    this.#retry = this.#kernel.scheduleInline(kernelWait(now, this.#roundTrip.timeout), 'timer', () => {
      this.#retry = undefined;
      if (this.#kernel.now - (this.#silentSince as number) >= GIVE_UP) return this.#ends.expired();
      if (!isProbe) this.#roundTrip.double();
      this.#window = FIRST_WINDOW;
      this.#stalled = true;
      this.#probing = true;
      this.#resends = true;
      this.#path.uplink.request(this);
    });
  }

  #refuse(): void {
    const delay = this.#path.latency() + this.#path.latencyBack();
    this.#kernel.scheduleInline(delay, 'deliver', () => {
      if (!this.#ended) this.#ends.refused();
    });
  }
}
