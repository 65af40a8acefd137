/**
 * Facts as server-sent events (`/-/events`). Always true: a client that reads slowly loses events and is told how many, it
 * never makes the node keep them; there are at most so many clients; what is served is told as one sum a second, not once
 * a request.
 */
import type { ServerResponse } from 'node:http';
import type { Clock } from '../core/clock.ts';
import type { FactEmitter } from '../core/facts.ts';
import type { Exchange } from './exchange.ts';
import type { GatewayLimits } from './gateway-limits.ts';
import { RequestError } from './http-errors.ts';
import { limitIdle } from './send.ts';

export interface EventStream extends Disposable {
  /** Answers with the stream; what a returning client missed comes first, as far as it is remembered. */
  serve(exchange: Exchange): void;
  readonly clients: number;
}

interface Listener {
  readonly response: ServerResponse;
  lost: number;
}

export function createEventStream(
  deps: { clock: Clock; facts: FactEmitter },
  limits: Pick<
    GatewayLimits,
    'eventClients' | 'eventBuffer' | 'eventHistory' | 'eventHeartbeat' | 'eventSums' | 'idleTime'
  >,
): EventStream {
  const { clock } = deps;
  const listeners = new Set<Listener>();
  const history: { id: number; text: string }[] = [];
  let sums = { requests: 0, bytes: { disk: 0, peer: 0, upstream: 0 } };
  let lastId = 0;

  const push = (listener: Listener, text: string): void => {
    const { response } = listener;
    if (response.writableLength + text.length > limits.eventBuffer) {
      listener.lost++;
      return;
    }
    const note = listener.lost === 0 ? '' : `event: lost\ndata: {"events":${listener.lost}}\n\n`;
    listener.lost = 0;
    response.write(note + text);
  };
  const tell = (name: string, fact: object): void => {
    const id = ++lastId;
    const time = new Date(clock.now()).toISOString();
    const text = `id: ${id}\nevent: ${name}\ndata: ${JSON.stringify({ time, ...fact })}\n\n`;
    history.push({ id, text });
    if (history.length > limits.eventHistory) history.shift();
    for (const listener of listeners) push(listener, text);
  };
  const stopListening = deps.facts.onAny((name, fact) => {
    if (name === 'served:request') sums.requests++;
    else if (name === 'served:bytes') {
      const { source, bytes } = fact as { source: keyof typeof sums.bytes; bytes: number };
      sums.bytes[source] += bytes;
    } else tell(name, fact);
  });

  let beat: ReturnType<Clock['setTimer']> | undefined;
  let quiet = 0;
  // Ticks while somebody listens; sums nobody heard are forgotten.
  const tick = (): void => {
    beat = clock.setTimer(tick, limits.eventSums);
    quiet += limits.eventSums;
    const told = sums;
    sums = { requests: 0, bytes: { disk: 0, peer: 0, upstream: 0 } };
    // The sum of a quiet second says nothing; a comment now and then keeps the connection.
    const text =
      told.requests > 0
        ? `event: served\ndata: ${JSON.stringify(told)}\n\n`
        : quiet >= limits.eventHeartbeat
          ? ': still here\n\n'
          : '';
    if (text === '') return;
    quiet = 0;
    for (const listener of listeners) push(listener, text);
  };

  return {
    serve(exchange) {
      const { request, response, head } = exchange;
      if (listeners.size >= limits.eventClients)
        throw new RequestError('CROWDED', `${listeners.size} clients are listening to events already`);
      limitIdle(response, limits.idleTime);
      response.writeHead(200, [
        'Content-Type',
        'text/event-stream',
        'Cache-Control',
        'no-store',
        'X-Content-Type-Options',
        'nosniff',
        'Cross-Origin-Resource-Policy',
        'same-origin',
      ]);
      if (head) {
        response.end();
        return;
      }
      const listener: Listener = { response, lost: 0 };
      const seen = Number(request.headers['last-event-id'] ?? 0);
      response.write('retry: 2000\n\n');
      for (const event of history) if (!(event.id <= seen && seen <= lastId)) push(listener, event.text);
      listeners.add(listener);
      if (beat === undefined) {
        sums = { requests: 0, bytes: { disk: 0, peer: 0, upstream: 0 } };
        beat = clock.setTimer(tick, limits.eventSums);
      }
      response.once('close', () => {
        listeners.delete(listener);
        if (listeners.size > 0) return;
        beat?.cancel();
        beat = undefined;
      });
    },
    get clients() {
      return listeners.size;
    },
    [Symbol.dispose]() {
      stopListening();
      beat?.cancel();
      for (const { response } of listeners) response.end();
      listeners.clear();
    },
  };
}
