/** Ranges of files: what is asked, and whether the answer is that. */

export interface WantedRange {
  readonly offset?: number | undefined;
  readonly length?: number | undefined;
  readonly suffix?: number | undefined;
}

/** The Range header; undefined when the whole file is wanted. */
export function rangeHeader({ offset = 0, length, suffix }: WantedRange): string | undefined {
  if (suffix !== undefined) return `bytes=-${suffix}`;
  if (length !== undefined) return `bytes=${offset}-${offset + length - 1}`;
  return offset > 0 ? `bytes=${offset}-` : undefined;
}

export interface ContentRange {
  readonly start: number;
  /** Exclusive. */
  readonly end: number;
  readonly total: number | undefined;
}

/** Undefined for what is not `bytes a-b/total` with a <= b < total. */
export function parseContentRange(value: string | undefined): ContentRange | undefined {
  const found = /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15}|\*)$/.exec(value ?? '');
  if (!found) return undefined;
  const [start, last] = [Number(found[1]), Number(found[2])];
  const total = found[3] === '*' ? undefined : Number(found[3]);
  if (start > last || (total !== undefined && last >= total)) return undefined;
  return { start, end: last + 1, total };
}

/** Whether a 206 holds exactly what was asked for, as far as the file has it. */
export function isWhatWasAsked(range: ContentRange, { offset = 0, length, suffix }: WantedRange): boolean {
  const { start, end, total } = range;
  if (suffix !== undefined) {
    return total === undefined
      ? end - start === suffix
      : end === total && start === Math.max(0, total - suffix);
  }
  if (start !== offset) return false;
  if (length === undefined) return total === undefined || end === total;
  return end === (total === undefined ? offset + length : Math.min(offset + length, total));
}
