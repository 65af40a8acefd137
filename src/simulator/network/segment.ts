/** What travels: some bytes of one direction of a connection, in order, or its end. */

/** TCP's payload in an Ethernet frame of 1,500 bytes with time stamps; the rest is headers. */
export const SEGMENT_BYTES = 1448;
const HEADER_BYTES = 52;
/** Segments that travel as one event where none can be lost alone. */
export const BATCH_BYTES = 16_384;

export interface Segment {
  readonly bytes: Uint8Array;
  /** Nothing follows. */
  readonly last: boolean;
  sentAt: number;
  /** It arrived, but its acknowledgement did not. */
  delivered: boolean;
  /** Sent again after a cut, or delayed by loss: its round trip says nothing. */
  repeated: boolean;
  delayed: boolean;
}

/** Bytes that the line carries for this much content. */
export function wireSize(content: number): number {
  return content + HEADER_BYTES * Math.max(1, Math.ceil(content / SEGMENT_BYTES));
}
