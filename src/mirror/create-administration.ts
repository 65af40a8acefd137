/** Joins what the owner may do: fetching ahead, pins, space, verification. */
import type { BlobStore } from '../store/blob-store.ts';
import type { Administration } from './administration.ts';
import { collect, pin, type RetainDeps, unpin } from './retain.ts';
import type { NodeStatus } from './status.ts';
import { verifyStore } from './verify-store.ts';
import { warm } from './warm.ts';

export interface AdministrationDeps extends Omit<RetainDeps, 'store'> {
  readonly store: BlobStore;
  status(): NodeStatus;
}

export function createAdministration(deps: AdministrationDeps): Administration {
  return {
    status: () => deps.status(),
    warm: (wanted, options) => warm(deps, wanted, options),
    pin: (wanted, options) => pin(deps, wanted, options),
    unpin: (wanted, options) => unpin(deps, wanted, options),
    collect: (bytes) => collect(deps, bytes),
    verify: (options) => verifyStore(deps, options),
  };
}
