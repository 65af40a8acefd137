/** A PeerNetwork offered to another thread: this side, in the thread where libp2p runs. */
import { type Clock, type Timer } from '../../core/clock.ts';
import { ConfigurationError } from '../../core/errors.ts';
import { createFactEmitter, type FactEmitter } from '../../core/facts.ts';
import type { PeerNetwork, RangeAnswer, Shelf } from '../peer-network.ts';
import { borrowShelf } from './borrowed-shelf.ts';
import { toErrorData } from './call-table.ts';
import type { IndexCallData, IndexToNetwork } from './index-messages.ts';
import { offerIndex, type IndexOffer } from './index-offer.ts';
import { createCredit, type Credit } from './index-pack.ts';
import type { CallData, FromNetwork, Port, ToNetwork } from './messages.ts';

/** How often the state is sent, in ms, and how soon after a fact that changes it. */
const STATE_EVERY = 1000;
const STATE_SOON = 20;
/** Bytes are gathered to so much before they are sent, to more once they come fast: each message costs the gateway's thread a turn. */
const CHUNK = 256 * 1024;
const FAST_CHUNK = 1024 * 1024;
/** A slow peer's bytes wait at most this long for company, in ms. */
const FLUSH_AFTER = 20;

interface Outlet {
  readonly port: Port<FromNetwork, ToNetwork>;
  readonly clock: Clock;
}

interface Running {
  readonly abort: AbortController;
  credit: number;
  more: () => void;
  /** Of an answer about the index. */
  index?: Credit;
}

export async function serveNetwork(deps: {
  port: Port<FromNetwork, ToNetwork>;
  clock: Clock;
  create: (deps: { shelf: Shelf; facts: FactEmitter }) => Promise<PeerNetwork>;
}): Promise<void> {
  const { port, clock } = deps;
  const facts = createFactEmitter();
  const shelf = borrowShelf(port, clock);
  const running = new Map<number, Running>();
  const early: ToNetwork[] = [];
  const begun = Promise.withResolvers<void>();
  let network: PeerNetwork | undefined;
  let index: IndexOffer | undefined;
  let timer: Timer | undefined;
  let isSoon = false;
  /** What was sent last says that nobody is connected. */
  let saidAlone = true;

  const sendState = (): void => {
    timer?.cancel();
    isSoon = false;
    if (network === undefined) return;
    const status = network.status();
    saidAlone = status.connections === 0;
    port.post({ kind: 'state', multiaddrs: network.multiaddrs(), status });
    index?.sendPeers();
    timer = clock.setTimer(sendState, STATE_EVERY);
  };
  facts.onAny((name, fact) => {
    // While nobody is connected nobody is asked (mirror/holder-search.ts): the first peer counts from when it is heard of.
    if (name === 'peer:connected' && saidAlone) sendState();
    port.post({ kind: 'fact', name, fact });
    // Not put off by the next fact: where peers come and go all the time the state would never be sent.
    if (!name.startsWith('peer:') || network === undefined || isSoon) return;
    isSoon = true;
    timer?.cancel();
    timer = clock.setTimer(sendState, STATE_SOON);
  });

  const run = async (to: PeerNetwork, id: number, call: CallData): Promise<void> => {
    const entry: Running = {
      abort: new AbortController(),
      credit: call.method === 'range' ? call.credit : 0,
      more: () => undefined,
    };
    running.set(id, entry);
    try {
      if (call.method === 'state') sendState();
      else if (call.method.startsWith('index-')) {
        const { signal } = entry.abort;
        const about = call as IndexCallData;
        entry.index = createCredit(about.method === 'index-request' ? about.credit : 0, signal);
        await index?.run(about, id, entry.index, signal);
      } else await answer(to, id, call as PeerCallData, entry, { port, clock });
      port.post({ kind: 'end', id });
    } catch (error) {
      port.post({ kind: 'failure', id, error: toErrorData(error) });
    } finally {
      running.delete(id);
    }
    if (call.method === 'close') timer?.cancel();
  };
  const take = (message: ToNetwork): void => {
    if (message.kind === 'begin') begun.resolve();
    else if (message.kind === 'shelf' || message.kind.startsWith('shelf-')) {
      shelf.take(message as Parameters<typeof shelf.take>[0]);
    } else if (network === undefined) early.push(message);
    else if (message.kind === 'call') void run(network, message.id, message.call);
    else if (message.kind === 'abort')
      running.get(message.id)?.abort.abort(new DOMException('aborted', 'AbortError'));
    else if (message.kind === 'credit') {
      const entry = running.get(message.id);
      if (entry === undefined) return;
      entry.index?.add(message.bytes);
      entry.credit += message.bytes;
      entry.more();
    } else if (message.kind === 'judge') network.judge(message.peerId, message.verdict);
    else if (message.kind === 'advertise') network.advertise(message.digest);
    else if (message.kind === 'withdraw') network.withdraw(message.digest);
    else index?.take(message as IndexToNetwork);
  };
  port.onMessage(take);
  await begun.promise;
  try {
    network = await deps.create({ shelf, facts });
  } catch (error) {
    const { fault, fix } =
      error instanceof ConfigurationError ? error : ({ fault: 'environment', fix: '' } as const);
    port.post({
      kind: 'refused',
      message: error instanceof Error ? error.message : String(error),
      fault,
      fix,
    });
    return;
  }
  index = offerIndex({ index: network.index, port, clock });
  sendState();
  port.post({ kind: 'ready', peerId: network.peerId });
  for (const message of early.splice(0)) take(message);
}

type PeerCallData = Exclude<CallData, IndexCallData | { method: 'state' }>;

async function answer(
  network: PeerNetwork,
  id: number,
  call: PeerCallData,
  entry: Running,
  outlet: Outlet,
): Promise<void> {
  const { signal } = entry.abort;
  const { port } = outlet;
  switch (call.method) {
    case 'ask':
    case 'find': {
      const { sizeKnown = false, inNeed = false } = call.method === 'ask' ? call : {};
      for await (const item of network[call.method](call.digest, { signal, sizeKnown, inNeed }))
        port.post({ kind: 'item', id, item });
      return;
    }
    case 'peerConnected':
      return network.peerConnected({ signal });
    case 'close':
      return network[Symbol.asyncDispose]();
    case 'range': {
      const { peerId, digest, offset, length, priority } = call;
      await using range = await network.range(peerId, { digest, offset, length, priority, signal });
      port.post({
        kind: 'item',
        id,
        item: { blobSize: range.blobSize, offset: range.offset, length: range.length },
      });
      await sendBytes(range, id, entry, outlet);
    }
  }
}

async function sendBytes(
  range: Pick<RangeAnswer, 'body' | 'length'>,
  id: number,
  entry: Running,
  { port, clock }: Outlet,
): Promise<void> {
  const { signal } = entry.abort;
  // No more memory than there are bytes to come: small blobs are many.
  let chunk: Uint8Array<ArrayBuffer> | undefined;
  let size = CHUNK;
  let left = range.length;
  let filled = 0;
  let flush: Timer | undefined;
  const send = (): void => {
    flush?.cancel();
    flush = undefined;
    if (chunk === undefined) return;
    entry.credit -= filled;
    left -= filled;
    port.post({ kind: 'item', id, item: chunk.subarray(0, filled) }, [chunk.buffer]);
    chunk = undefined;
    filled = 0;
  };
  const sendLate = (): void => {
    size = CHUNK;
    send();
  };
  /** The last chunk may take more than is left of the credit: by less than its own size. */
  const credited = async (): Promise<void> => {
    while (entry.credit <= 0 && !signal.aborted) await new Promise<void>((resolve) => (entry.more = resolve));
    signal.throwIfAborted();
  };
  const wake = (): void => entry.more();
  signal.addEventListener('abort', wake);
  try {
    for await (const bytes of range.body) {
      for (let start = 0; start < bytes.length;) {
        chunk ??= new Uint8Array(Math.min(size, Math.max(left, bytes.length - start)));
        const part = bytes.subarray(start, start + chunk.length - filled);
        chunk.set(part, filled);
        filled += part.length;
        start += part.length;
        if (filled < chunk.length) continue;
        await credited();
        send();
        size = FAST_CHUNK;
      }
      await credited();
      if (filled > 0) flush ??= clock.setTimer(sendLate, FLUSH_AFTER);
    }
    await credited();
    send();
  } finally {
    flush?.cancel();
    signal.removeEventListener('abort', wake);
  }
}
