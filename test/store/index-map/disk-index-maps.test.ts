import { temporaryFolder } from '../../support/disk-store.ts';
import { indexMapsContract } from './index-maps-contract.ts';
import { openMapsIn } from './open-maps.ts';

indexMapsContract(async () => {
  const folder = await temporaryFolder();
  const { maps } = await openMapsIn(`${folder.path}/index-map`);
  return {
    maps,
    async [Symbol.asyncDispose]() {
      await maps[Symbol.asyncDispose]();
      await folder[Symbol.asyncDispose]();
    },
  };
});
