/** When something last came over each connection: what idle means for pings and evictions. */
import type { Connection, MultiaddrConnection } from '@libp2p/interface';
import type { Clock } from '../../core/clock.ts';

export interface ConnectionActivity {
  /** Called by the gater once a connection is upgraded. */
  watch(connection: MultiaddrConnection): void;
  /** Milliseconds since something came. */
  idleFor(connection: Connection): number;
}

export function createConnectionActivity(clock: Clock): ConnectionActivity {
  // The `timeline` object is the one thing that libp2p's connection shares with the socket's.
  const lastAt = new WeakMap<object, number>();
  return {
    watch(connection) {
      lastAt.set(connection.timeline, clock.monotonic());
      connection.addEventListener('message', () => {
        lastAt.set(connection.timeline, clock.monotonic());
      });
    },
    idleFor: ({ timeline }) => clock.monotonic() - (lastAt.get(timeline) ?? 0),
  };
}
