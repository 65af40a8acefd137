/**
 * How many inbound handshakes we pay for (7 ms of CPU each for both sides). LAN and remembered hosts draw from a bucket of
 * their own: a flood from elsewhere must not lock them out.
 */
import type { Clock } from '../../core/clock.ts';
import { limits } from '../../core/limits.ts';
import { subnetOf } from './peer-address.ts';
import { createKeyedBuckets, createRateBucket } from './rate-bucket.ts';

export interface HandshakeLimits {
  /** `known`: on the LAN, or the address of a remembered peer. `lan` decides the host's own rate. */
  admit(host: string, origin: { lan: boolean; known: boolean }): boolean;
}

export function createHandshakeLimits(clock: Clock): HandshakeLimits {
  const { handshakesPerSecond, handshakesBurst, handshakesLanHost, handshakesPublicHost, hostsKept } =
    limits.network;
  const strangers = createRateBucket(clock, handshakesPerSecond, handshakesBurst);
  const known = createRateBucket(clock, handshakesPerSecond, handshakesBurst);
  const lanHosts = createKeyedBuckets(hostsKept, () =>
    createRateBucket(clock, handshakesLanHost, handshakesLanHost),
  );
  const publicHosts = createKeyedBuckets(hostsKept, () =>
    createRateBucket(clock, handshakesPublicHost, handshakesPublicHost),
  );
  return {
    admit(host, origin) {
      // One IPv6 host owns a whole /64 and more: its addresses share a bucket.
      const key = host.includes(':') && !origin.lan ? subnetOf(host) : host;
      // The host's own bucket first: what it refuses must not empty the common one.
      if (!(origin.lan ? lanHosts : publicHosts).take(key)) return false;
      return (origin.known || origin.lan ? known : strangers).take();
    },
  };
}
