/** One request to an origin, at the moments when its caller leaves. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import type { Dispatcher } from 'undici';
import { limits } from '../../src/core/limits.ts';
import { createHttpClient } from '../../src/upstream/http-client.ts';
import { createFakeClock } from '../support/fake-clock.ts';

test(
  'a caller that leaves at the very moment of its turn costs no request and no place',
  { timeout: 10_000 },
  async () => {
    const dispatched: string[] = [];
    const dispatcher = {
      dispatch(options: Dispatcher.DispatchOptions) {
        dispatched.push(options.path);
        return true;
      },
    };
    const send = createHttpClient({
      dispatcherFor: () => dispatcher as unknown as Dispatcher,
      clock: createFakeClock(),
      limits: { ...limits.upstream, parallel: 1 },
      sent: () => undefined,
    });
    const caller = new AbortController();
    const { signal } = caller;
    // The queue stops listening when it gives the place.
    const remove = signal.removeEventListener.bind(signal);
    signal.removeEventListener = (...given: Parameters<typeof remove>): void => {
      remove(...given);
      caller.abort(new Error('the caller left'));
    };
    const url = new URL('https://files.test/a');
    await assert.rejects(send({ url, method: 'GET', headers: {}, kind: 'quick', signal }), /the caller left/);
    assert.deepEqual(dispatched, []);

    const other = new AbortController();
    const next = send({ url, method: 'GET', headers: {}, kind: 'quick', signal: other.signal });
    for (let turns = 0; turns < 100 && dispatched.length === 0; turns++) await turn();
    assert.deepEqual(dispatched, ['/a']);
    other.abort(new Error('it left too'));
    await assert.rejects(next, /it left too/);
  },
);
