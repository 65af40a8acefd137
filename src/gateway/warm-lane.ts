/**
 * The short way for connections that ask only for what is warm: their requests are known by their bytes and answered with
 * one write, past Node's `http`, which by itself takes twice nginx's time for a page (measured, CPU for a page of 39 KB:
 * nginx 16-21 us, this 21-23, bare `http` with a prepared buffer 30-46, our routes 54-105). The first request that is not
 * known, and whatever comes after it, is `http`'s: the connection is handed over with all its bytes.
 *
 * Always true: nothing is answered here that `http` did not read and the gateway did not let in before, but for its path;
 * one answer at a time; the bounds of connections, idle time and first bytes hold as they do there.
 */
import type { Socket } from 'node:net';
import type { Clock } from '../core/clock.ts';
import type { FactEmitter } from '../core/facts.ts';
import type { ConnectionGuard } from './connection-guard.ts';
import type { GatewayLimits } from './gateway-limits.ts';
import type { HostCheck } from './host-check.ts';
import type { PlainRequests } from './plain-requests.ts';
import type { WarmAnswer, WarmAnswers } from './warm-answers.ts';

export interface WarmLaneDeps {
  readonly plain: Pick<PlainRequests, 'find'>;
  readonly answers: WarmAnswers;
  readonly guard: ConnectionGuard;
  readonly hostAllowed: HostCheck;
  readonly clock: Clock;
  readonly facts: Pick<FactEmitter, 'emit'>;
  readonly limits: Pick<GatewayLimits, 'headerTime' | 'idleTime'>;
  /** Gives a connection to `http`, as if it had just come. */
  readonly toHttp: (socket: Socket) => void;
  /** A connection on which nothing came in time. */
  readonly refuseSilent: (socket: Socket) => void;
}

/** For the server's `connection` event. */
export function createWarmLane(deps: WarmLaneDeps): (socket: Socket) => void {
  const { plain, answers, guard, hostAllowed, clock, facts, limits } = deps;

  const find = (socket: Socket, chunk: Buffer): WarmAnswer | undefined => {
    const request = plain.find(chunk.toString('latin1'));
    if (request === undefined || !hostAllowed(request.host, socket.localAddress)) return undefined;
    return answers.find(request);
  };

  return (socket) => {
    let answering: WarmAnswer | undefined;
    let answered = false;
    let began = 0;

    const done = (): void => {
      const { route } = answering ?? { route: 'page' };
      answering = undefined;
      guard.leave(socket);
      facts.emit('served:request', { route, status: 200, ms: clock.monotonic() - began });
    };
    const onData = (chunk: Buffer): void => {
      // A request before the answer to the one before is rare: `http` keeps them in order, behind what is being written.
      const answer = answering === undefined ? find(socket, chunk) : undefined;
      if (answer === undefined) {
        handOver(chunk);
        return;
      }
      if (!guard.enter(socket)) return;
      began = clock.monotonic();
      answering = answer;
      if (!answered) socket.setTimeout(limits.idleTime);
      answered = true;
      if (answer.body === undefined) socket.write(answer.head, done);
      else {
        socket.cork();
        socket.write(answer.head);
        socket.write(answer.body, done);
        socket.uncork();
      }
      facts.emit('served:bytes', { source: answer.source, bytes: answer.bodyBytes });
    };
    const onTimeout = (): void => {
      if (answered) socket.destroy();
      else deps.refuseSilent(socket);
    };
    const onEnd = (): void => void socket.end();
    const onError = (): void => void socket.destroy();
    const handOver = (chunk: Buffer): void => {
      socket.off('data', onData).off('timeout', onTimeout).off('end', onEnd).off('error', onError);
      socket.setTimeout(0);
      socket.pause();
      socket.unshift(chunk);
      deps.toHttp(socket);
      socket.resume();
    };

    socket.on('data', onData).on('timeout', onTimeout).on('end', onEnd).on('error', onError);
    socket.setTimeout(limits.headerTime);
  };
}
