/**
 * What nodes say to each other about the signed index: the interface. All of it is opaque bytes here, and only plain data
 * crosses, so that it works from another thread. Implementations: `libp2p/index-channel.ts`, `memory-index-channel.ts`,
 * `thread/index-*.ts` and `no-index-channel.ts`. Contract suite: `test/contracts/index-channel.ts`.
 */

export interface IndexCallOptions {
  readonly signal?: AbortSignal | undefined;
}

export interface IndexRequestOptions extends IndexCallOptions {
  /** Bytes of the answer that are too many: PeerError `protocol`. Default: `limits.indexChannel.answerBytes`. */
  readonly limit?: number | undefined;
  /** A chunk is read until the next is asked for, and not kept: its memory may be given back then, not when garbage is collected. */
  readonly passing?: boolean | undefined;
}

/** What a message of the topic is: passed on, dropped in silence, or held against who sent it. */
export type IndexVerdict = 'accept' | 'ignore' | 'reject';

/** Answers one request; `signal` aborts when the peer no longer wants it. What it throws the peer hears as "unreadable". */
export interface IndexHandler {
  (peerId: string, request: Uint8Array, signal: AbortSignal): AsyncIterable<Uint8Array>;
}

/** `peerId` handed the message on; it need not be its author. Bytes are the validator's to keep. */
export interface IndexValidator {
  (peerId: string, message: Uint8Array): Promise<IndexVerdict>;
}

/** The rules of the DHT's values, as pure functions of bytes: they run where libp2p does, for values of strangers too. */
export interface HeadValueRules {
  /** Throws when the value is not valid under this key. */
  validate(key: Uint8Array, value: Uint8Array): void | Promise<void>;
  /** Which of several valid values is the best: its place in `values`. */
  select(key: Uint8Array, values: readonly Uint8Array[]): number;
}

export interface IndexChannel {
  /** Connected peers that speak `/fondue/index/1.0.0`. */
  peers(): readonly string[];
  /** Such a peer connected: a contact. Returns how to stop listening. */
  onPeer(listener: (peerId: string) => void): () => void;
  /** Asks when it is first read: one request (1 byte to 64 KiB), its whole answer in chunks that are the reader's to keep. Leaving the loop cancels. Throws PeerError. */
  request(peerId: string, request: Uint8Array, options?: IndexRequestOptions): AsyncIterable<Uint8Array>;
  /** Who answers peers' requests; before, they hear BUSY. */
  serve(handler: IndexHandler): void;
  /** To everybody who listens, through peers. At most 64 KiB; resolves when it is handed to the network, whoever is there. */
  publish(message: Uint8Array): Promise<void>;
  /** Who judges what comes, before it is passed on; before, nothing is listened to. Too slow, or thrown: `ignore`. */
  onMessage(validate: IndexValidator): void;
  /** Puts a value (8 KiB at most) under `/fondue-cp/` + 32 bytes in the DHT; resolves to how many peers took it. Throws InvalidContentError for one that breaks the rules. */
  putValue(key: Uint8Array, value: Uint8Array, options?: IndexCallOptions): Promise<number>;
  /** Each distinct valid value that is found, as it is found. */
  getValue(key: Uint8Array, options?: IndexCallOptions): AsyncIterable<Uint8Array>;
}
