/**
 * A shape is one table entry for three readers: it reads a YAML node into a value, writes the value back, and describes
 * itself as JSON Schema. Always true: `read(write(x))` equals x, and every problem is reported with its place.
 */
import { closest } from 'fastest-levenshtein';
import { isMap, isScalar, isSeq, type Node } from 'yaml';
import type { ProblemList } from './problems.ts';

export type Plain = string | number | boolean | readonly Plain[] | { readonly [key: string]: Plain };
export interface JsonSchema {
  readonly [key: string]: unknown;
}

/** Read before, and reported: there is no value. */
export const failed: unique symbol = Symbol('failed');
export type Failed = typeof failed;

export class Place {
  readonly node: Node | null;
  readonly offset: number;
  readonly pointer: string;
  readonly #problems: ProblemList;

  /** `fallback` is where an empty value stands. */
  constructor(problems: ProblemList, node: Node | null, fallback: number, pointer: string) {
    this.node = node;
    this.offset = node?.range?.[0] ?? fallback;
    this.pointer = pointer;
    this.#problems = problems;
  }

  get scalar(): unknown {
    return isScalar(this.node) ? this.node.value : undefined;
  }

  report(message: string, fix: string): Failed {
    this.#problems.add(this.offset, this.pointer, message, fix);
    return failed;
  }

  child(node: unknown, key: string | number): Place {
    const name = String(key).replaceAll('~', '~0').replaceAll('/', '~1');
    return new Place(this.#problems, (node ?? null) as Node | null, this.offset, `${this.pointer}/${name}`);
  }

  /** The value under `key` of the map that stands here; without one, the map. */
  at(key: string): Place {
    const node = isMap(this.node) ? this.node.get(key, true) : undefined;
    return node === undefined ? this : this.child(node, key);
  }

  /** What stands there, for a message. */
  describe(): string {
    if (isMap(this.node)) return 'a map';
    if (isSeq(this.node)) return 'a list';
    const value = this.scalar;
    if (value === undefined || value === null) return 'nothing';
    return `"${(typeof value === 'string' ? value : JSON.stringify(value)).slice(0, 80)}"`;
  }
}

export interface Shape<T> {
  read(place: Place): T | Failed;
  /** undefined: nothing is to be written. */
  write(value: T): Plain | undefined;
  readonly schema: JsonSchema;
}

export interface Field<T> {
  readonly shape: Shape<T>;
  readonly about: string;
  /** Absent: the key must be there. */
  readonly default?: { readonly value: T };
}

/** A record that may be left out, since each of its keys may. */
export function optionalRecord<T>(shape: Shape<T> & { readonly empty: T }, about: string): Field<T> {
  return { shape, about, default: { value: shape.empty } };
}

export function required<T>(shape: Shape<T>, about: string): Field<T> {
  return { shape, about };
}

export function optional<T>(shape: Shape<T>, value: T, about: string): Field<T> {
  return { shape, about, default: { value } };
}

/** Without the key the value is undefined here; `resolve-defaults.ts` fills it in from the rest. */
export function derived<T>(shape: Shape<T>, about: string): Field<T | undefined> {
  return { shape: maybe(shape), about, default: { value: undefined } };
}

function maybe<T>(shape: Shape<T>): Shape<T | undefined> {
  return { ...shape, write: (value) => (value === undefined ? undefined : shape.write(value)) };
}

/** Keys of a file are in snake_case, those of the program in camelCase. */
function fileKey(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

type Fields<T> = { readonly [K in keyof Required<T>]: Field<T[K & keyof T]> };

/** `empty`: with every default; only for a record without required keys. */
export function record<T extends object>(
  about: string,
  fields: Fields<T>,
  { elsewhere = [] }: { /** Keys that another reads. */ readonly elsewhere?: readonly string[] } = {},
): Shape<T> & { readonly empty: T } {
  const entries = Object.entries(fields) as [string, Field<unknown>][];
  const byKey = new Map(entries.map(([name, field]) => [fileKey(name), { name, field }]));
  const keys = [...byKey.keys(), ...elsewhere];
  return {
    empty: Object.fromEntries(entries.map(([name, field]) => [name, field.default?.value])) as T,
    read(place) {
      if (!isMap(place.node)) {
        return place.report(
          `${place.describe()} is not ${about}`,
          `write a map with some of the keys ${keys.join(', ')}`,
        );
      }
      const values: Record<string, unknown> = {};
      let whole = true;
      for (const pair of place.node.items) {
        const key = String(isScalar(pair.key) ? pair.key.value : pair.key);
        const known = byKey.get(key);
        if (known === undefined) {
          const nearest = closest(key, keys);
          place
            .child(pair.key, key)
            .report(`"${key}" is no key of ${about}`, `did you mean "${nearest}"? Known: ${keys.join(', ')}`);
          whole = false;
          continue;
        }
        const value = known.field.shape.read(place.child(pair.value, key));
        if (value === failed) whole = false;
        values[known.name] = value;
      }
      for (const [key, { name, field }] of byKey) {
        if (Object.hasOwn(values, name)) continue;
        if (field.default !== undefined) values[name] = field.default.value;
        else {
          place.report(`${about} needs "${key}"`, `add "${key}": ${field.about}`);
          whole = false;
        }
      }
      return whole ? (values as T) : failed;
    },
    write(value) {
      const plain: Record<string, Plain> = {};
      for (const [key, { name, field }] of byKey) {
        const written = field.shape.write((value as Record<string, unknown>)[name]);
        if (written !== undefined) plain[key] = written;
      }
      return plain;
    },
    schema: {
      type: 'object',
      description: about,
      additionalProperties: false,
      properties: Object.fromEntries(
        [...byKey].map(([key, { field }]) => {
          const standard = field.default === undefined ? undefined : field.shape.write(field.default.value);
          return [
            key,
            {
              ...field.shape.schema,
              description: field.about,
              ...(standard === undefined ? {} : { default: standard }),
            },
          ];
        }),
      ),
      ...(entries.some(([, field]) => field.default === undefined)
        ? { required: [...byKey].flatMap(([key, { field }]) => (field.default === undefined ? [key] : [])) }
        : {}),
    },
  };
}
