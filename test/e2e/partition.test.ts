/** The short form of `test/slow/partition.test.ts`: the kernel is told to give silent connections up after seconds, not minutes. */
import { test } from 'node:test';
import { namespacesMissing } from '../support/namespaces.ts';
import { partition } from '../support/partition.ts';

test(
  "after a cut each side has the other's files within two minutes of the heal",
  { skip: namespacesMissing(), timeout: 290_000 },
  (t) => partition(t, { side: 2, cut: 20, tcpRetries: 3 }),
);
