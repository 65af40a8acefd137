import { createMemoryLogFiles } from '../../../src/store/publisher-log/log-files.ts';
import { openMemoryPublisherLog } from '../../../src/store/publisher-log/open-publisher-log.ts';
import { alice, testPublisherLog } from './contract.ts';

testPublisherLog('in memory', async () => {
  const files = createMemoryLogFiles();
  return {
    open: (signers = [alice]) => openMemoryPublisherLog(signers, files),
    async [Symbol.asyncDispose]() {},
  };
});
