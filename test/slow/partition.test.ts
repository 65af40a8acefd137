/** The cut of ten minutes, for real; `TEST_CUT_SECONDS` says how many seconds instead. `test/e2e/partition.test.ts` is the short one. */
import { test } from 'node:test';
import { namespacesMissing } from '../support/namespaces.ts';
import { partition } from '../support/partition.ts';

const cut = Number(process.env['TEST_CUT_SECONDS'] ?? 600);

test(
  `after a cut of ${cut} s each side has the other's files within two minutes of the heal`,
  { skip: namespacesMissing() },
  (t) => partition(t, { side: 3, cut, ...(cut < 300 ? { tcpRetries: 3 } : {}) }),
);
