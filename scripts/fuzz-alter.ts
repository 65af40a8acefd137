/**
 * Altered copies of valid bytes. Any format: bits, cuts, splices of two, repeated and swapped parts, numbers. CBOR, JSON and lines
 * of text are altered by their structure too, also so that everything but the one thing stays well formed.
 */
import canonicalize from 'canonicalize';
import fc from 'fast-check';
import { damages, shares } from '../test/core/log/arbitraries.ts';
import { alterCbor, type Change } from './fuzz-cbor.ts';

export type Format = 'binary' | 'cbor' | 'json' | 'text';

/** `other` is a second valid message of the kind. */
export type Alter = (bytes: Uint8Array, other: Uint8Array) => Uint8Array;

const changes: fc.Arbitrary<Change> = fc.record({
  how: fc.nat(1000),
  at: shares,
  to: shares,
  value: fc.nat(1_000_000),
});

/** `head` is how many bytes stand before what has the format. */
export function alterations(format: Format, head: (bytes: Uint8Array) => number): fc.Arbitrary<Alter> {
  const structural =
    (change: Change, inner: Change): Alter =>
    (bytes, other) => {
      const [from, otherFrom] = [head(bytes), head(other)];
      const altered = alterStructure(format, bytes.subarray(from), other.subarray(otherFrom), change, inner);
      return altered === undefined
        ? alterBytes(bytes, other, change)
        : Buffer.concat([bytes.subarray(0, from), altered]);
    };
  const one = fc.oneof(
    {
      arbitrary: damages.map(
        (damage): Alter =>
          (bytes) =>
            damage(bytes),
      ),
      weight: 2,
    },
    {
      arbitrary: changes.map(
        (change): Alter =>
          (a, b) =>
            alterBytes(a, b, change),
      ),
      weight: 2,
    },
    {
      arbitrary: fc.tuple(changes, changes).map(([change, inner]) => structural(change, inner)),
      weight: format === 'binary' ? 0 : 5,
    },
  );
  return fc
    .array(one, { minLength: 1, maxLength: 2 })
    .map((list) => (bytes, other) => list.reduce((now, alter) => alter(now, other), bytes));
}

function alterStructure(
  format: Format,
  bytes: Uint8Array,
  other: Uint8Array,
  change: Change,
  inner: Change,
): Uint8Array | undefined {
  const content = (part: Uint8Array): Uint8Array =>
    inner.value % 3 === 0 ? alterBytes(part, other, inner) : (alterAny(part, other, inner) ?? part);
  switch (format) {
    case 'cbor':
      return alterCbor(bytes, other, change, content);
    case 'json':
      return alterJson(bytes, other, change);
    case 'text':
      return alterText(bytes, other, change);
    case 'binary':
      return undefined;
  }
}

/** What stands inside a message: CBOR, JSON or a note. */
function alterAny(bytes: Uint8Array, other: Uint8Array, change: Change): Uint8Array | undefined {
  return (
    alterCbor(bytes, other, change, (part) => alterBytes(part, other, change)) ??
    alterJson(bytes, other, change) ??
    alterText(bytes, other, change)
  );
}

const COUNTS = [0, 1, 23, 24, 0x7f, 0x80, 0xff, 0x100, 0x7fff, 0xffff, 0x10000, 0x7fffffff, 0xffffffff];

function alterBytes(bytes: Uint8Array, other: Uint8Array, { how, at, to, value }: Change): Uint8Array {
  const buffer = Buffer.from(bytes);
  const [start, end] = [Math.floor(at * bytes.length), Math.floor(to * bytes.length)].sort(
    (a, b) => a - b,
  ) as [number, number];
  const part = buffer.subarray(start, end);
  switch (how % 7) {
    case 0:
      if (bytes.length > 0) buffer.writeUInt8(buffer.readUInt8(start) ^ (1 << (value % 8)), start);
      return buffer;
    case 1:
      return Buffer.concat([buffer.subarray(0, start), other.subarray(Math.floor(to * other.length))]);
    case 2:
      return Buffer.concat([buffer.subarray(0, end), part, buffer.subarray(end)]);
    case 3: {
      const third = end + Math.min(part.length, value % 64);
      return Buffer.concat([
        buffer.subarray(0, start),
        buffer.subarray(end, third),
        part,
        buffer.subarray(third),
      ]);
    }
    case 4: {
      // A length, in one, two or four bytes: near what it was, or at a limit.
      const width = Math.min([1, 2, 4][value % 3] as number, bytes.length - start);
      if (width !== 1 && width !== 2 && width !== 4) return buffer;
      const was = buffer.readUIntBE(start, width);
      const near = [was + 1, was - 1, was * 2, COUNTS[value % COUNTS.length] as number][value % 4] as number;
      buffer.writeUIntBE(Math.max(0, near) % 2 ** (8 * width), start, width);
      return buffer;
    }
    case 5:
      return Buffer.concat([
        buffer.subarray(0, start),
        other.subarray(0, value % 300),
        buffer.subarray(start),
      ]);
    default:
      return Buffer.concat([buffer.subarray(0, start), buffer.subarray(end)]);
  }
}

const CHARACTERS = [
  '\r', '\t', '\0', ' ', '\n', '\n\n', '\u2014 ', '\u00a0', '\u2028', '\ufeff', '+', '=', '==', '#', '.', '0', '-', 'A',
  '%', '\u202e', '\ud83d\ude00', 'x'.repeat(300), ' '.repeat(70_000), '\n'.repeat(300), 'x '.repeat(20_000),
]; // prettier-ignore

/** Lines and words: swapped, doubled, dropped, taken from the other; characters that are none. */
function alterText(bytes: Uint8Array, other: Uint8Array, { how, at, to, value }: Change): Uint8Array {
  const [text, second] = [Buffer.from(bytes).toString('latin1'), Buffer.from(other).toString('latin1')];
  const mark = ['\n', ' ', '+', '/'][value % 4] as string;
  const parts = text.split(mark);
  const [one, two] = [Math.floor(at * parts.length), Math.floor(to * parts.length)];
  const others = second.split(mark);
  switch (how % 7) {
    case 0:
      [parts[one], parts[two]] = [parts[two] ?? '', parts[one] ?? ''];
      break;
    case 1:
      parts.splice(two, 0, parts[one] ?? '');
      break;
    case 2:
      parts.splice(one, 1);
      break;
    case 3:
      parts[one] = others[Math.floor(to * others.length)] ?? '';
      break;
    case 4:
      parts.splice(one, 0, others[Math.floor(to * others.length)] ?? '');
      break;
    case 5: {
      const place = Math.floor(at * text.length);
      const character = Buffer.from(CHARACTERS[value % CHARACTERS.length] as string).toString('latin1');
      return Buffer.from(text.slice(0, place) + character + text.slice(place), 'latin1');
    }
    default:
      // Base 64 with other padding, or with bits that nobody reads.
      return Buffer.from(
        value % 2 === 0
          ? text.replace(/=+(?=\n|$)/, value % 3 === 0 ? '' : '===')
          : text.replace(/[A-Za-z0-9](?==)/, (last) => String.fromCharCode(last.charCodeAt(0) + 1)),
        'latin1',
      );
  }
  return Buffer.from(parts.join(mark), 'latin1');
}

const STRANGE_JSON = [
  'null', 'true', 'false', '0', '-0', '-1', '1.0', '1e3', '1e400', '0.1', '9007199254740991', '9007199254740992',
  '8640000000000001', '""', '"\\ud800"', '"\\u0000"', '"\\u202e"', '"__proto__"', '"https://user:pw@h/"', '"http://[::1]/"',
  '"http:\\\\\\\\a"', '"//evil.example/x"', '"all"', '[]', '{}', '[[]]', '{"__proto__":{"a":1}}', '{"a":1,"a":2}', '[null]',
  '"javascript:x"', '"../../x"', '"\u00e9"', '"e\\u0301"', '"ALICE"',
  `"${'a'.repeat(70_000)}"`, `"${'b'.repeat(2000)}"`,
  ...[40, 1000, 50_000].flatMap((depth) => [
    '['.repeat(depth) + ']'.repeat(depth),
    '{"a":'.repeat(depth) + '1' + '}'.repeat(depth),
  ]),
]; // prettier-ignore
const KEYS = ['__proto__', 'constructor', 'toString', 'then', '', 'v', '_v', 'successor', 'a"b', 'length'];

/** JSON as text for each value, so that keys can stand twice and numbers be written otherwise. Undefined where it is none. */
function alterJson(bytes: Uint8Array, other: Uint8Array, change: Change): Uint8Array | undefined {
  const tree = jsonTree(bytes);
  if (tree === undefined) return undefined;
  const all = [...walkJson(tree)];
  const containers = all.filter(({ members }) => members !== undefined && members.length > 0);
  const parent = containers[Math.floor(change.at * containers.length)];
  if (parent?.members === undefined) return undefined;
  const { members } = parent;
  const place = Math.floor(change.to * members.length);
  const member = members[place] as Member;
  switch (change.how % 8) {
    case 0:
    case 1:
    case 2:
      member.value = { text: STRANGE_JSON[change.value % STRANGE_JSON.length] as string };
      break;
    case 3:
      members.splice(place, 1);
      break;
    case 4:
      members.push({ ...member });
      break;
    case 5:
      member.key = JSON.stringify(KEYS[change.value % KEYS.length]);
      break;
    case 6: {
      const foreign = [...walkJson(jsonTree(other) ?? tree)];
      member.value = { text: jsonText(foreign[change.value % foreign.length] as Json) };
      break;
    }
    default: {
      const second = members[change.value % members.length] as Member;
      [member.value, second.value] = [second.value, member.value];
    }
  }
  const text = jsonText(tree);
  if (change.value % 3 === 0) return Buffer.from(text);
  // In the one form, so that it is read further.
  try {
    return Buffer.from(canonicalize(JSON.parse(text)) ?? text);
  } catch {
    return Buffer.from(text);
  }
}

interface Json {
  text?: string;
  list?: boolean;
  members?: Member[];
}

interface Member {
  key: string;
  value: Json;
}

function jsonTree(bytes: Uint8Array): Json | undefined {
  if (bytes[0] !== 0x7b && bytes[0] !== 0x5b) return undefined;
  try {
    return treeOf(JSON.parse(Buffer.from(bytes).toString()), 0);
  } catch {
    return undefined;
  }
}

function treeOf(value: unknown, depth: number): Json {
  if (typeof value !== 'object' || value === null || depth > 20) return { text: JSON.stringify(value) };
  return {
    list: Array.isArray(value),
    members: Object.entries(value).map(([key, item]) => ({
      key: JSON.stringify(key),
      value: treeOf(item, depth + 1),
    })),
  };
}

function* walkJson(json: Json): Generator<Json> {
  yield json;
  for (const { value } of json.members ?? []) yield* walkJson(value);
}

function jsonText({ text, list, members = [] }: Json): string {
  if (text !== undefined) return text;
  if (list === true) return `[${members.map(({ value }) => jsonText(value)).join(',')}]`;
  return `{${members.map(({ key, value }) => `${key}:${jsonText(value)}`).join(',')}}`;
}
