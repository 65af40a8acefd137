import { createMemoryIndexMaps } from '../../../src/store/index-map/memory-index-maps.ts';
import { indexMapsContract } from './index-maps-contract.ts';

indexMapsContract(async () => {
  const maps = createMemoryIndexMaps();
  return { maps, [Symbol.asyncDispose]: () => maps[Symbol.asyncDispose]() };
});
