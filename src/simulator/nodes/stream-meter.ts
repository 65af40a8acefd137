/**
 * What a node's libp2p sends by protocol, seen from outside through the interface that libp2p has for it. Must always hold: it
 * changes nothing and takes nothing: a listener of its own on a stream would be given what the program has not read yet.
 */
import type { Metrics, Stream, StreamMessageEvent } from '@libp2p/interface';
import type { Uint8ArrayList } from 'uint8arraylist';
import { createGossipReader } from './gossip-reader.ts';

export interface StreamWatcher {
  /** All that a connection carries: handshakes, the multiplexer's frames, what streams send. */
  wire(bytes: number): void;
  /** A piece of a stream of this protocol. */
  sent(protocol: string, bytes: number): void;
  /** A copy of a message came. */
  gossip(data: Uint8Array): void;
}

/** What libp2p's streams and connections have and their interfaces do not show. */
interface Sender {
  sendData(data: Uint8ArrayList): { readonly sentBytes: number };
  dispatchEvent(event: Event): boolean;
}

export function createStreamMeter(watcher: StreamWatcher): Metrics {
  return {
    ...silentMetrics,
    trackMultiaddrConnection(connection) {
      watchSent(connection as unknown as Sender, (bytes) => watcher.wire(bytes));
    },
    trackProtocolStream(stream: Stream) {
      const { protocol } = stream;
      const sender = stream as unknown as Sender;
      watchSent(sender, (bytes) => watcher.sent(protocol, bytes));
      if (!protocol.startsWith('/meshsub/') || stream.direction !== 'inbound') return;
      const read = createGossipReader((data) => watcher.gossip(data));
      const dispatch = sender.dispatchEvent.bind(stream);
      sender.dispatchEvent = (event) => {
        if (event.type === 'message') read((event as StreamMessageEvent).data.subarray());
        return dispatch(event);
      };
    },
  };
}

function watchSent(sender: Sender, onSent: (bytes: number) => void): void {
  const send = sender.sendData.bind(sender);
  sender.sendData = (data) => {
    const result = send(data);
    // A stream takes what its window has room for, and is asked again for the rest.
    if (result.sentBytes > 0) onSent(result.sentBytes);
    return result;
  };
}

const nothing = (): void => undefined;
const one = {
  update: nothing,
  increment: nothing,
  decrement: nothing,
  observe: nothing,
  reset: nothing,
  timer: () => nothing,
};
const register = (): never => one as never;

const silentMetrics: Omit<Metrics, 'trackMultiaddrConnection' | 'trackProtocolStream'> = {
  registerMetric: register,
  registerMetricGroup: register,
  registerCounter: register,
  registerCounterGroup: register,
  registerHistogram: register,
  registerHistogramGroup: register,
  registerSummary: register,
  registerSummaryGroup: register,
  traceFunction: <F>(_name: string, call: F): F => call,
  createTrace: nothing,
};
