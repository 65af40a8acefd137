import { blobStoreContract } from '../contracts/blob-store.ts';
import { openStoreIn, temporaryFolder } from '../support/disk-store.ts';

blobStoreContract('the disk store', async ({ quotaBytes }) => {
  const folder = await temporaryFolder();
  const opened = await openStoreIn(folder.path, { quotaBytes });
  return {
    ...opened,
    async [Symbol.asyncDispose]() {
      await opened[Symbol.asyncDispose]();
      await folder[Symbol.asyncDispose]();
    },
  };
});
