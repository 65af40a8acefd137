import { createMemoryCatalog } from '../../src/store/memory-catalog.ts';
import { catalogContract } from '../contracts/catalog.ts';

catalogContract('the memory catalog', async () => {
  const catalog = createMemoryCatalog();
  return { catalog, [Symbol.asyncDispose]: () => catalog[Symbol.asyncDispose]() };
});
