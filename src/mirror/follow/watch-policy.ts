/**
 * Looks at the policy's file from time to time, and at once when it is told to: what a person decides there counts while the
 * node runs. Must always hold: a file that is gone, half-written or wrong changes nothing, and it is said what is wrong with it
 * until it is mended.
 */
import type { Clock, Timer } from '../../core/clock.ts';
import { ConfigurationError } from '../../core/errors.ts';
import type { FactEmitter } from '../../core/facts.ts';
import { limits } from '../../core/limits.ts';
import { type Policy, samePolicy } from '../../core/log/policy.ts';
import { Gate } from '../../store/gate.ts';
import type { PolicyReport } from '../administration.ts';

export interface PolicyWatchDeps {
  readonly clock: Clock;
  readonly facts: Pick<FactEmitter, 'emit'>;
  /** The file's path. */
  readonly source: string;
  /** Throws ConfigurationError for what cannot be lived by. */
  read(): Promise<Policy>;
  apply(policy: Policy): Promise<void>;
}

export interface PolicyWatch extends AsyncDisposable {
  start(): void;
  /** Reads it now; resolves when the node lives by what it says. */
  look(): Promise<PolicyReport>;
  /** Why the file is not what the node lives by. */
  problem(): string | undefined;
}

export function watchPolicy(deps: PolicyWatchDeps, first: Policy): PolicyWatch {
  const { clock, facts, source } = deps;
  const one = new Gate(1);
  let lived = first;
  let problem: string | undefined;
  let timer: Timer | undefined;
  let closed = false;

  function refuse(message: string): void {
    if (message !== problem)
      facts.emit('policy:refused', { source, message: `the policy stays as it was: ${message}` });
    problem = message;
  }

  /** True when it became another one. */
  async function read(): Promise<boolean> {
    let next: Policy;
    try {
      next = await deps.read();
    } catch (error) {
      if (!(error instanceof ConfigurationError)) throw error;
      refuse(`${error.message}; ${error.fix}`);
      return false;
    }
    const changes = !samePolicy(next, lived);
    if (changes) {
      await deps.apply(next);
      lived = next;
      facts.emit('policy:changed', { source, threshold: next.k, publishers: next.publishers.length });
    }
    problem = undefined;
    return changes;
  }

  async function look(): Promise<PolicyReport> {
    return one.run(async () => {
      const changed = !closed && (await read());
      return {
        source,
        changed,
        problem: problem ?? null,
        threshold: lived.k,
        publishers: lived.publishers.length,
      };
    });
  }

  function later(): void {
    timer = clock.setTimer(() => {
      look()
        .catch((error: unknown) => refuse(`it could not be taken: ${String(error)}`))
        .finally(() => {
          if (!closed) later();
        });
    }, limits.follow.policyEvery);
  }

  return {
    start: later,
    look,
    problem: () => problem,
    async [Symbol.asyncDispose]() {
      closed = true;
      timer?.cancel();
      await one.run(async () => undefined);
    },
  };
}
