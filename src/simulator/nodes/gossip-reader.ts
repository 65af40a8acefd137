/**
 * The messages in what a peer sends on its gossip stream, as they came: copies too, which gossipsub itself tells nobody of.
 * Frames are a length (varint) and an RPC in protobuf, whose field 2 is a message, whose field 2 is its data. What does
 * not fit ends the reading of that stream: judging it is gossipsub's business.
 */

const LARGEST = 4 << 20;
const PUBLISH = 2;
const DATA = 2;
const BYTES = 2;

export function createGossipReader(onMessage: (data: Uint8Array) => void): (bytes: Uint8Array) => void {
  let rest: Uint8Array = new Uint8Array();
  let broken = false;
  return (bytes) => {
    if (broken) return;
    rest = rest.length === 0 ? bytes : Buffer.concat([rest, bytes]);
    for (;;) {
      const length = readVarint(rest, 0);
      if (length === undefined) {
        broken = rest.length > 10;
        return;
      }
      const end = length.next + length.value;
      if (length.value > LARGEST) broken = true;
      if (broken || end > rest.length) return;
      for (const message of fields(rest.subarray(length.next, end), PUBLISH))
        for (const data of fields(message, DATA)) onMessage(data);
      rest = rest.subarray(end);
    }
  };
}

/** Contents of a field of bytes, each time that it is there. */
function* fields(bytes: Uint8Array, wanted: number): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length;) {
    const key = readVarint(bytes, at);
    if (key === undefined) return;
    const [field, type] = [key.value >> 3, key.value & 7];
    const value = readVarint(bytes, key.next);
    // gossipsub's messages have numbers and bytes, and nothing else.
    if (value === undefined || (type !== 0 && type !== BYTES)) return;
    at = type === BYTES ? value.next + value.value : value.next;
    if (type === BYTES && field === wanted && at <= bytes.length) yield bytes.subarray(value.next, at);
  }
}

function readVarint(
  bytes: Uint8Array,
  at: number,
): { readonly value: number; readonly next: number } | undefined {
  let value = 0;
  for (let index = 0; index < 8; index++) {
    const byte = bytes[at + index];
    if (byte === undefined) return undefined;
    value += (byte & 127) * 2 ** (7 * index);
    if (byte < 128) return { value, next: at + index + 1 };
  }
  return undefined;
}
