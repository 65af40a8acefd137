/**
 * Which pages are believed here: those made from JSON, or from HTML where the upstream has nothing else. Different formats never
 * vote together, and nobody configures it: the first one that k publishers sign is the one. Must always hold: it
 * never changes under one policy and upstream, and it is written down before anything counts.
 */
import type { IndexRecord } from '../../core/log/record.ts';
import type { FollowState } from './follow-state.ts';

type Format = IndexRecord['format'];
const FORMATS: readonly Format[] = ['json', 'html'];
const KEY = 'format';

export interface AgreedFormatDeps {
  readonly state: FollowState;
  readonly upstream: string;
  readonly k: number;
  /** The newest record of each slot that counts. */
  readonly newest: () => Iterable<Pick<IndexRecord, 'format' | 'upstream'>>;
  readonly onDecided: () => void;
}

export class AgreedFormat {
  readonly #deps: AgreedFormatDeps;
  #format: Format | undefined;
  #deciding: Promise<void> | undefined;

  private constructor(deps: AgreedFormatDeps, format: Format | undefined) {
    this.#deps = deps;
    this.#format = format;
  }

  static async open(deps: AgreedFormatDeps): Promise<AgreedFormat> {
    const kept = await deps.state.get(KEY);
    const text = kept && Buffer.from(kept).toString();
    return new AgreedFormat(
      deps,
      FORMATS.find((format) => format === text),
    );
  }

  /** Undefined until k publishers sign one. */
  get format(): Format | undefined {
    return this.#format;
  }

  /** Looks who signs what now, if that is not decided yet. */
  async decided(): Promise<Format | undefined> {
    if (this.#format === undefined)
      await (this.#deciding ??= this.#decide().finally(() => (this.#deciding = undefined)));
    return this.#format;
  }

  async #decide(): Promise<void> {
    const { state, upstream, k, newest } = this.#deps;
    const signed = [...newest()].filter((record) => record.upstream === upstream);
    const format = FORMATS.find((one) => signed.filter((record) => record.format === one).length >= k);
    if (format === undefined || k === 0) return;
    await state.write([[KEY, Buffer.from(format)]]);
    this.#format = format;
    this.#deps.onDecided();
  }
}
