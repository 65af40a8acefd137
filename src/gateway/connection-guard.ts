/**
 * How many connections there are and what each may have at work. Always true: never more than the limit; whoever comes
 * when it is reached takes the place of the connection that has been idle longest (an unfinished request is idle too), so
 * that 10,000 idle ones cost the others nothing; with all at work it is told 503.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { problemOnSocket, RequestError } from './http-errors.ts';

/** Connections that are being told 503; more than these are closed without a word. */
const TELLING = 32;

export interface ConnectionGuard {
  /** False: it is being told 503. */
  connected(socket: Socket): boolean;
  /** False: this request is not to be answered, its connection is being closed. */
  begin(request: IncomingMessage, response: ServerResponse): boolean;
  /** The same for who tells the end of the answer by `leave`. */
  enter(socket: Socket): boolean;
  leave(socket: Socket): void;
  /** Closes what is idle now, and each other connection when it has its answer. */
  drain(): void;
  /** Closes all. */
  cut(): void;
}

export function createConnectionGuard(bounds: { connections: number; pipelined: number }): ConnectionGuard {
  /** Longest idle first: a Set keeps the order of adding. */
  const idle = new Set<Socket>();
  const atWork = new Map<Socket, number>();
  const refused = new Set<Socket>();
  let draining = false;

  const refuse = (socket: Socket): void => {
    if (refused.size >= TELLING) {
      socket.destroy();
      return;
    }
    refused.add(socket);
    socket.once('close', () => refused.delete(socket));
    socket.setTimeout(1000, () => socket.destroy());
    const message = `all ${bounds.connections} connections of this gateway are at work`;
    socket.end(problemOnSocket(new RequestError('CROWDED', message)));
  };

  const enter = (socket: Socket): boolean => {
    if (refused.has(socket)) return false;
    const requests = (atWork.get(socket) ?? 0) + 1;
    if (requests > bounds.pipelined || socket.destroyed) {
      socket.destroy();
      return false;
    }
    idle.delete(socket);
    atWork.set(socket, requests);
    return true;
  };

  const leave = (socket: Socket): void => {
    const left = (atWork.get(socket) ?? 1) - 1;
    if (left > 0) atWork.set(socket, left);
    else if (atWork.delete(socket) && !socket.destroyed) {
      if (draining) socket.destroySoon();
      idle.add(socket);
    }
  };

  return {
    connected(socket) {
      if (idle.size + atWork.size >= bounds.connections) {
        const [longest] = idle;
        if (longest === undefined) {
          refuse(socket);
          return false;
        }
        idle.delete(longest);
        longest.destroy();
      }
      idle.add(socket);
      socket.once('close', () => {
        idle.delete(socket);
        atWork.delete(socket);
      });
      return true;
    },
    begin(request, response) {
      const { socket } = request;
      if (!enter(socket)) return false;
      response.once('close', () => leave(socket));
      return true;
    },
    enter,
    leave,
    drain() {
      draining = true;
      for (const socket of idle) socket.destroy();
    },
    cut() {
      for (const socket of [...idle, ...atWork.keys()]) socket.destroy();
    },
  };
}
