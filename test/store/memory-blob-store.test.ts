import { createFactEmitter } from '../../src/core/facts.ts';
import { createMemoryBlobStore } from '../../src/store/memory-blob-store.ts';
import { blobStoreContract } from '../contracts/blob-store.ts';
import { createFakeClock } from '../support/fake-clock.ts';

blobStoreContract('the memory store', async ({ quotaBytes }) => {
  const [clock, facts] = [createFakeClock(), createFactEmitter()];
  const store = createMemoryBlobStore({ clock, quotaBytes, facts });
  return { store, clock, facts, [Symbol.asyncDispose]: () => store[Symbol.asyncDispose]() };
});
