/**
 * One request and its answer, as the routes see them. Always true: its signal aborts when the client leaves, and one
 * `served:request` is told when it is over (not of the node's own service routes).
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Clock } from '../core/clock.ts';
import type { FactEmitter, SourceKind } from '../core/facts.ts';
import { waitOf } from './client-patience.ts';
import type { GatewayLimits } from './gateway-limits.ts';
import type { RequestPath } from './request-path.ts';

export interface ExchangeDeps {
  readonly clock: Clock;
  readonly facts: FactEmitter;
  readonly limits: GatewayLimits;
}

/** A class for once: one is made for each request, and a literal with getters costs 1 µs more. */
export class Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly path: RequestPath;
  readonly head: boolean;
  /** What metrics call this request: a handful of names. */
  route: string;
  readonly #deps: ExchangeDeps;
  readonly #began: number;
  #gone: AbortController | undefined;
  #left = false;

  constructor(
    deps: ExchangeDeps,
    request: IncomingMessage,
    response: ServerResponse,
    path: RequestPath,
    route: string,
  ) {
    this.#deps = deps;
    this.request = request;
    this.response = response;
    this.path = path;
    this.route = route;
    this.head = request.method === 'HEAD';
    this.#began = deps.clock.monotonic();
    response.once('close', () => this.#over());
  }

  /** What is left of the time that this client waits for a first byte, ms: one budget for all that an answer needs. */
  get wait(): number {
    const { clock, limits } = this.#deps;
    return Math.max(
      0,
      waitOf(this.request.headers['user-agent'], limits) - (clock.monotonic() - this.#began),
    );
  }

  /** Made when first asked for: what memory answers needs none. */
  get signal(): AbortSignal {
    this.#gone ??= new AbortController();
    if (this.#left) abort(this.#gone);
    return this.#gone.signal;
  }

  /** Counts bytes of a body that went to the client. */
  sent(source: SourceKind, bytes: number): void {
    if (!this.head && bytes > 0) this.#deps.facts.emit('served:bytes', { source, bytes });
  }

  #over(): void {
    const { clock, facts } = this.#deps;
    const { response, route } = this;
    // After a whole answer nobody waits for anything any more.
    this.#left = !response.writableFinished;
    if (this.#left && this.#gone !== undefined) abort(this.#gone);
    // The node's own readers (dashboard, monitors) are no clients of the mirror.
    if (route === 'service') return;
    // 499 as nginx has it: the client left before an answer.
    const status = response.headersSent ? response.statusCode : 499;
    facts.emit('served:request', { route, status, ms: clock.monotonic() - this.#began });
  }
}

function abort(controller: AbortController): void {
  if (!controller.signal.aborted) controller.abort(new DOMException('the client left', 'AbortError'));
}
