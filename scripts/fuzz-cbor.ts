/** Alters CBOR by its structure: lengths stay right, so that what is wrong is met behind the parser. */

/** A data item; what is `raw` is written as it is. */
interface Item {
  raw?: Uint8Array;
  major: number;
  argument: bigint;
  /** Bytes of the argument, where not the fewest. */
  width?: number;
  /** Added to what the head says. */
  lie?: number;
  /** Written as CBOR of unknown length. */
  open?: boolean;
  content?: Uint8Array;
  children?: Item[];
}

/** What to do (`how`), where (`at`, `to`: 0 to below 1), and a number for it. */
export interface Change {
  readonly how: number;
  readonly at: number;
  readonly to: number;
  readonly value: number;
}

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex');

/** Values that readers forget: of other types, too large, written in a second way, tags, broken ones. */
const STRANGE: readonly Buffer[] = [
  'f6, f7, f4, f5, 00, 20, 1bffffffffffffffff, 1b0020000000000000, 3b001fffffffffffff, 3bffffffffffffffff',
  'fb7ff8000000000000, fb8000000000000000, fb3ff0000000000000, f93c00, fa3f800000, fb7ff0000000000000',
  '40, 60, 80, a0, 61ff, 62c328, 63eda080, 6100, d82a4100, d82a80, c24101, 9fff, bfff, 5f4100ff, 7f6161ff',
  'a1695f5f70726f746f5f5f80, a16b636f6e7374727563746f7201, 5affffffff, 9affffffff, 9bffffffffffffffff',
  'bbffffffffffffffff, 7bffffffffffffffff, ff, 1c, f8ff, f800, a2616101616102, a2616201616102, a10102',
]
  .flatMap((line) => line.split(', '))
  .map(hex)
  .concat(
    Buffer.concat([hex('d82a 5825 0001551220'), Buffer.alloc(32, 7)]),
    ...[40, 1000, 30_000].flatMap((depth) => [
      Buffer.concat([Buffer.alloc(depth, 0x81), hex('00')]),
      Buffer.concat([Buffer.alloc(3 * depth, hex('a16161')), hex('00')]),
      Buffer.concat([Buffer.alloc(depth, 0xc1), hex('00')]),
    ]),
  );

/** Undefined where `bytes` is no CBOR of the plain kind. */
export function alterCbor(
  bytes: Uint8Array,
  other: Uint8Array,
  change: Change,
  alterContent: (content: Uint8Array) => Uint8Array,
): Uint8Array | undefined {
  const root = parse(bytes);
  if (root === undefined) return undefined;
  const items = [...walk(root)];
  const pick = (list: readonly Item[], at: number): Item => list[Math.floor(at * list.length)] as Item;
  const item = pick(items, change.at);
  const parents = items.filter(({ children }) => children !== undefined && children.length > 0);
  const parent = parents.length === 0 ? undefined : pick(parents, change.at);
  const step = parent?.major === 5 ? 2 : 1;
  const place = (at: number): number => step * Math.floor((at * (parent?.children?.length ?? 0)) / step);
  switch (change.how % 18) {
    case 0:
      item.width = [1, 2, 4, 8][change.value % 4] as number;
      break;
    case 1:
      item.open = true;
      break;
    case 2:
      item.raw = Buffer.concat([hex(change.value % 2 === 0 ? 'd82a' : 'c1'), write(item)]);
      break;
    case 3:
    case 4:
      item.raw = STRANGE[change.value % STRANGE.length] as Buffer;
      break;
    case 5:
      parent?.children?.splice(place(change.to), step);
      break;
    case 6: {
      const copied = parent?.children?.slice(place(change.to), place(change.to) + step) ?? [];
      parent?.children?.splice(place((change.value % 97) / 97), 0, ...copied);
      break;
    }
    case 7: {
      const second = pick(items, change.to);
      const [left, right] = [write(item), write(second)];
      item.raw = right;
      second.raw = left;
      break;
    }
    case 8: {
      const foreign = parse(other);
      if (foreign !== undefined) item.raw = write(pick([...walk(foreign)], change.to));
      break;
    }
    case 9:
      item.lie = [1, -1, 255, 2 ** 31][change.value % 4] as number;
      break;
    default: {
      // Rather what is in the message than its keys.
      const all = items.filter(({ content }) => content !== undefined);
      const long = all.filter(({ content = '' }) => content.length > 2);
      const strings = long.length > 0 && change.value % 8 > 0 ? long : all;
      if (strings.length === 0) return undefined;
      const string = pick(strings, change.at);
      string.content = alterContent(string.content ?? new Uint8Array());
    }
  }
  return write(root);
}

function* walk(item: Item): Generator<Item> {
  yield item;
  for (const child of item.children ?? []) yield* walk(child);
}

function parse(bytes: Uint8Array): Item | undefined {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  let at = 0;
  const read = (depth: number): Item => {
    const first = buffer.readUInt8(at++);
    const [major, info] = [first >> 5, first & 31];
    const width = info < 24 ? 0 : 2 ** (info - 24);
    if (info > 27 || depth > 20) throw new RangeError('not of the plain kind');
    const argument = width === 0 ? BigInt(info) : BigInt(`0x${buffer.toString('hex', at, at + width)}`);
    at += width;
    const item: Item = { major, argument, ...(major === 7 ? { width } : {}) };
    if (major === 2 || major === 3) {
      const end = at + Number(argument);
      if (end > buffer.length) throw new RangeError('cut off');
      item.content = buffer.subarray(at, end);
      at = end;
    } else if (major === 4 || major === 5) {
      item.children = [];
      for (let left = Number(argument) * (major - 3); left > 0; left--) item.children.push(read(depth + 1));
    } else if (major === 6) throw new RangeError('a tag');
    return item;
  };
  try {
    const root = read(0);
    return at === buffer.length ? root : undefined;
  } catch {
    return undefined;
  }
}

function write(item: Item): Buffer {
  const { raw, major, content, children } = item;
  if (raw !== undefined) return Buffer.from(raw);
  const counted = content?.length ?? (children && Math.floor(children.length / (major === 5 ? 2 : 1)));
  const body = content ?? Buffer.concat((children ?? []).map(write));
  if (item.open === true) {
    const inside =
      content === undefined ? body : Buffer.concat([write({ major, argument: 0n, content }), body]);
    return Buffer.concat([Buffer.of((major << 5) | 31), inside, hex('ff')]);
  }
  const said = (counted === undefined ? item.argument : BigInt(counted)) + BigInt(item.lie ?? 0);
  return Buffer.concat([head(major, BigInt.asUintN(64, said), item.width), body]);
}

function head(major: number, argument: bigint, atLeast = 0): Buffer {
  const needed =
    argument < 24n ? 0 : argument < 256n ? 1 : argument < 65_536n ? 2 : argument < 2n ** 32n ? 4 : 8;
  const width = Math.max(needed, atLeast);
  if (width === 0) return Buffer.of((major << 5) | Number(argument));
  const bytes = hex(argument.toString(16).padStart(2 * width, '0'));
  return Buffer.concat([Buffer.of((major << 5) | (24 + Math.log2(width))), bytes]);
}
