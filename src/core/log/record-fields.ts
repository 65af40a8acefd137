/** Takes a record's fields one by one, each checked, so that what is left over is unknown. */
import { InvalidLogError, type LogFault } from '../errors.ts';

/** The last millisecond that a Date can hold. */
const LAST_TIME = 8.64e15;

export interface RecordFields {
  take(key: string): unknown;
  text(key: string, isValid: (text: string) => boolean): string;
  orNull(key: string, isValid: (text: string) => boolean): string | null;
  boolean(key: string): boolean;
  /** An integer from 0 to 2^53 - 1. */
  count(key: string): number;
  /** Milliseconds since 1970. */
  time(key: string): number;
  exactly<T>(key: string, value: T): T;
  /** Throws when there are others. */
  end(): void;
  /** The field that may be absent. */
  readonly optional: unknown;
}

export function readFields(value: Readonly<Record<string, unknown>>, optionalKey?: string): RecordFields {
  const left = new Map(Object.entries(value));
  const take = (key: string): unknown => {
    if (!left.has(key)) return wrong(key, 'is missing');
    const field = left.get(key);
    left.delete(key);
    return field;
  };
  const text = (key: string, isValid: (text: string) => boolean): string => {
    const field = take(key);
    return typeof field === 'string' && isValid(field)
      ? field
      : wrong(key, 'has a value that it cannot have');
  };
  const count = (key: string): number => {
    const field = take(key);
    return typeof field === 'number' && Number.isSafeInteger(field) && field >= 0
      ? field
      : wrong(key, 'is no integer from 0 to 2^53 - 1');
  };
  const optional = optionalKey === undefined ? undefined : left.get(optionalKey);
  if (optional !== undefined && optionalKey !== undefined) left.delete(optionalKey);
  return {
    take,
    text,
    count,
    optional,
    orNull(key, isValid) {
      if (left.get(key) !== null) return text(key, isValid);
      left.delete(key);
      return null;
    },
    boolean(key) {
      const field = take(key);
      return typeof field === 'boolean' ? field : wrong(key, 'is neither true nor false');
    },
    time(key) {
      const time = count(key);
      return time <= LAST_TIME ? time : wrong(key, 'is no time');
    },
    exactly(key, expected) {
      return take(key) === expected ? expected : wrong(key, `is not ${String(expected)}`);
    },
    end() {
      const [key] = left.keys();
      if (key !== undefined) wrong(key, 'is not a field of this version');
    },
  };
}

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function recordFault(code: LogFault, what: string, cause?: unknown): never {
  throw new InvalidLogError(code, `the record ${what}`, { cause });
}

function wrong(key: string, what: string): never {
  return recordFault('RECORD_MALFORMED', `is refused: "${key.slice(0, 40)}" ${what}`);
}
