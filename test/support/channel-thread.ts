/** The network's thread as a MessageChannel in this process: what crosses it is cloned and transferred as between threads. */
import { MessageChannel } from 'node:worker_threads';
import type { Clock } from '../../src/core/clock.ts';
import type { FactEmitter } from '../../src/core/facts.ts';
import type { PeerNetwork, Shelf } from '../../src/network/peer-network.ts';
import { joinedPort } from '../../src/network/thread/joined-port.ts';
import type { FromNetwork, NetworkThread, ToNetwork } from '../../src/network/thread/messages.ts';
import { serveNetwork } from '../../src/network/thread/serve-network.ts';

export interface ChannelThread extends NetworkThread {
  /** All that came from the network's side, in order. */
  readonly received: readonly FromNetwork[];
  /** Bytes of ranges that came. */
  readonly receivedBytes: number;
  readonly terminated: boolean;
  /** From now on it hears nothing, as one that is busy. */
  deafen(): void;
  /** As a thread ends by an error that nobody caught. */
  crash(error: Error): void;
}

export function channelThread(
  clock: Clock,
  create: (deps: { shelf: Shelf; facts: FactEmitter }) => Promise<PeerNetwork>,
): ChannelThread {
  const { port1, port2: there } = new MessageChannel();
  const here = joinedPort<ToNetwork, FromNetwork>(port1);
  const ended = Promise.withResolvers<Error | undefined>();
  const received: FromNetwork[] = [];
  let receivedBytes = 0;
  let terminated = false;
  let deaf = false;
  const end = (error: Error | undefined): void => {
    there.close();
    ended.resolve(error);
  };
  void serveNetwork({
    port: joinedPort<FromNetwork, ToNetwork>(there),
    clock,
    create,
  });
  here.onMessage((message) => {
    received.push(message);
    if (message.kind === 'item' && message.item instanceof Uint8Array) receivedBytes += message.item.length;
  });
  return {
    received,
    get receivedBytes() {
      return receivedBytes;
    },
    get terminated() {
      return terminated;
    },
    deafen() {
      deaf = true;
    },
    post(message, transfer = []) {
      if (!deaf) here.post(message, transfer);
    },
    onMessage: (listener) => here.onMessage(listener),
    ended: ended.promise,
    async terminate() {
      terminated = true;
      end(undefined);
    },
    crash: end,
  };
}
