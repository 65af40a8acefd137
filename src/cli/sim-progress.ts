/** How far simulated runs are: virtual time, events a second of real time, and when it will be over. On standard error. */
import type { Clock } from '../core/clock.ts';
import type { RunProgress } from '../simulator/run/run-scenario.ts';

const LINE_EVERY = 10_000;
const DRAW_EVERY = 200;

interface Output {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

export class SimProgress implements Disposable {
  readonly #output: Output;
  readonly #clock: Clock;
  readonly #live: boolean;
  readonly #began: number;
  readonly #runs = new Map<string, { readonly began: number; progress: RunProgress }>();
  #shownAt: number;
  #drawn = false;

  constructor(output: Output, clock: Clock) {
    this.#output = output;
    this.#clock = clock;
    this.#live = output.isTTY === true && process.env['TERM'] !== 'dumb';
    this.#began = clock.monotonic();
    this.#shownAt = this.#began;
  }

  /** What takes the progress of one run. */
  of(name: string): (progress: RunProgress) => void {
    return (progress) => this.#show(name, progress);
  }

  #show(name: string, progress: RunProgress): void {
    const run = this.#runs.get(name) ?? { began: this.#clock.monotonic(), progress };
    run.progress = progress;
    this.#runs.set(name, run);
    const now = this.#clock.monotonic();
    if (now - this.#shownAt < (this.#live ? DRAW_EVERY : LINE_EVERY)) return;
    this.#shownAt = now;
    const line = [...this.#runs]
      .map(([one, { began, progress: p }]) => describe(one, p, now - began))
      .join(' | ');
    if (!this.#live) return void this.#output.write(`${line}\n`);
    this.#clear();
    this.#output.write(line.slice(0, Math.max(20, (this.#output.columns ?? 80) - 1)));
    this.#drawn = true;
  }

  /** A line that stays. */
  note(name: string, text: string): void {
    this.#runs.delete(name);
    this.#clear();
    this.#output.write(`${text}\n`);
  }

  #clear(): void {
    if (this.#drawn) this.#output.write('\r\u001b[2K');
    this.#drawn = false;
  }

  [Symbol.dispose](): void {
    this.#clear();
  }
}

function describe(name: string, { at, end, events }: RunProgress, ms: number): string {
  const seconds = Math.max(0.001, ms / 1000);
  const left = at === 0 ? Infinity : (seconds * (end - at)) / at;
  return `${name}: ${time(at / 1e6)} of ${time(end / 1e6)}, ${Math.round(events / seconds)} events/s, ${time(left)} left`;
}

function time(seconds: number): string {
  if (!Number.isFinite(seconds)) return '?';
  const whole = Math.round(seconds);
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  return `${h > 0 ? `${h}h` : ''}${h > 0 || m > 0 ? `${m}m` : ''}${s}s`;
}
