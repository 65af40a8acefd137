/** Shapes made of others: lists, maps by name, one of several, a value that may be `none`. */
import { closest } from 'fastest-levenshtein';
import { isMap, isScalar, isSeq } from 'yaml';
import { failed, type Failed, type Place, type Shape } from './shape.ts';

export function listOf<T>(shape: Shape<T>, about: string, { min = 0, max = 1000 } = {}): Shape<readonly T[]> {
  return {
    read(place) {
      if (!isSeq(place.node))
        return place.report(`${place.describe()} is not a list of ${about}`, `write [${about}, ...]`);
      const { items } = place.node;
      if (items.length < min || items.length > max) {
        return place.report(
          `${items.length} ${about} are ${items.length < min ? 'too few' : 'too many'}`,
          `give ${min} to ${max}`,
        );
      }
      return all(items.map((item, index) => shape.read(place.child(item, index))));
    },
    write: (values) => values.map((value) => shape.write(value) ?? ''),
    schema: { type: 'array', items: shape.schema, minItems: min, maxItems: max },
  };
}

function all<T>(values: readonly (T | Failed)[]): readonly T[] | Failed {
  return values.includes(failed) ? failed : (values as readonly T[]);
}

/** A map whose keys are names that the scenario gives, in the file's order. */
export function mapOf<T>(
  shape: Shape<T>,
  about: string,
  keys: { readonly pattern: RegExp; readonly expected: string },
): Shape<ReadonlyMap<string, T>> {
  return {
    read(place) {
      if (!isMap(place.node))
        return place.report(`${place.describe()} is not a map of ${about}`, `write {name: ...} for each`);
      const entries = place.node.items.map((pair) => {
        const key = String(isScalar(pair.key) ? pair.key.value : pair.key);
        const child = place.child(pair.value, key);
        if (!keys.pattern.test(key)) {
          return place
            .child(pair.key, key)
            .report(`"${key}" is not ${keys.expected}`, `write ${keys.expected}`);
        }
        const value = shape.read(child);
        return value === failed ? failed : ([key, value] as const);
      });
      const whole = all(entries);
      return whole === failed ? failed : new Map(whole);
    },
    write: (map) => Object.fromEntries([...map].map(([key, value]) => [key, shape.write(value) ?? ''])),
    schema: {
      type: 'object',
      propertyNames: { pattern: keys.pattern.source },
      additionalProperties: shape.schema,
    },
  };
}

/** `none`: undefined. */
export function orNone<T extends object>(shape: Shape<T>): Shape<T | undefined> {
  return {
    read: (place) => (place.scalar === 'none' ? undefined : shape.read(place)),
    write: (value) => (value === undefined ? 'none' : shape.write(value)),
    schema: { anyOf: [{ const: 'none' }, shape.schema] },
  };
}

/** `{weibull: {shape: 0.5, mean: 4h}}`: one key says which, its value the rest. */
export function tagged<T extends { readonly kind: string }>(
  about: string,
  variants: { readonly [K in T['kind']]: Shape<Omit<Extract<T, { kind: K }>, 'kind'>> },
): Shape<T> {
  const shapes = variants as unknown as Readonly<Record<string, Shape<object>>>;
  const kinds = Object.keys(shapes);
  return {
    read(place) {
      const [pair, ...more] = isMap(place.node) ? place.node.items : [];
      if (pair === undefined || more.length > 0) {
        const hint = kinds.map((kind) => `{${kind}: ...}`).join(' or ');
        return place.report(`${place.describe()} is not ${about}`, `write ${hint}`);
      }
      const kind = String(isScalar(pair.key) ? pair.key.value : pair.key);
      const shape = Object.hasOwn(shapes, kind) ? shapes[kind] : undefined;
      if (shape === undefined) {
        return place
          .child(pair.key, kind)
          .report(
            `"${kind}" is no key of ${about}`,
            `did you mean "${closest(kind, kinds)}"? Known: ${kinds.join(', ')}`,
          );
      }
      const body = shape.read(place.child(pair.value, kind));
      return body === failed ? failed : ({ kind, ...body } as unknown as T);
    },
    write(value) {
      const { kind, ...body } = value;
      return { [kind]: (shapes[kind] as Shape<object>).write(body) ?? '' };
    },
    schema: {
      oneOf: kinds.map((kind) => ({
        type: 'object',
        additionalProperties: false,
        required: [kind],
        properties: { [kind]: shapes[kind]?.schema },
      })),
    },
  };
}

/** One value under the name that its body has in the program: `{fixed: 30m}` is `{kind: 'fixed', value: ...}`. */
export function named<T extends object>(name: keyof T & string, shape: Shape<T[keyof T]>): Shape<T> {
  return {
    read(place) {
      const value = shape.read(place);
      return value === failed ? failed : ({ [name]: value } as T);
    },
    write: (value) => shape.write(value[name]),
    schema: shape.schema,
  };
}

/** Another spelling: where `applies`, `short` reads it. What is written is always the long one. */
export function orShort<T>(
  long: Shape<T>,
  short: { applies(place: Place): boolean; read(place: Place): T | Failed; schema: object },
): Shape<T> {
  return {
    read: (place) => (short.applies(place) ? short.read(place) : long.read(place)),
    write: (value) => long.write(value),
    schema: { anyOf: [short.schema, long.schema] },
  };
}

/** The same value in two forms, one for the file and one for the program. */
export function translated<A, B>(
  shape: Shape<A>,
  into: (value: A, place: Place) => B | Failed,
  back: (value: B) => A,
): Shape<B> {
  return {
    read(place) {
      const value = shape.read(place);
      return value === failed ? failed : into(value, place);
    },
    write: (value) => shape.write(back(value)),
    schema: shape.schema,
  };
}

export function isSequence(place: Place): boolean {
  return isSeq(place.node);
}
