/** The fuzzer finds what it is there for, and every target can be read, altered and refused. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { caseLimits, type Target } from '../../scripts/fuzz-case.ts';
import { runFuzz } from '../../scripts/fuzz-run.ts';
import { type Failure, noCounts, runShard } from '../../scripts/fuzz-shard.ts';
import { targets } from '../../scripts/fuzz-targets.ts';
import { InvalidContentError } from '../../src/core/errors.ts';

for (const target of targets) {
  test(`${target.name}: valid messages are read, altered ones are refused or are valid too`, async () => {
    const counts = noCounts();
    const shard = { target: target.name, seed: 5, cases: 124, milliseconds: 60_000 };
    const failure = await runShard(target, shard, counts, () => {});
    assert.equal(failure, undefined, JSON.stringify(failure));
    const refused = Object.values(counts.refused).reduce((sum, count) => sum + count, 0);
    assert.ok(counts.unaltered >= 4 && refused > 0);
    assert.equal(counts.unaltered + counts.other + refused, counts.cases);
  });
}

const valid = Buffer.from('valid');

/** A reader that is right about valid messages and does this with others. */
async function failureOf(read: Target['read']): Promise<Failure | undefined> {
  const target: Target = {
    name: 'broken',
    format: 'binary',
    refusals: [InvalidContentError],
    valid: fc.constant(valid),
    read: (bytes) => (valid.equals(bytes) ? { again: bytes, claims: ['valid'] } : read(bytes)),
  };
  return runShard(
    target,
    { target: 'broken', seed: 1, cases: 31, milliseconds: 60_000 },
    noCounts(),
    () => {},
  );
}

test('a reader that refuses with its own error is right', async () => {
  const failure = await failureOf(() => {
    throw new InvalidContentError('no');
  });
  assert.equal(failure, undefined);
});

const faults: Record<string, [Target['read'], RegExp]> = {
  'ends in an error that is not its own': [() => ({ again: Buffer.from((JSON.parse('{}') as { x: { y: string } }).x.y) }), /ended in TypeError/],
  'accepts what it would write otherwise': [() => ({ again: valid }), /encodes to other bytes/],
  'believes what nobody signed': [(bytes) => ({ again: bytes, claims: ['forged'] }), /nobody signed/],
  'takes too long': [
    (bytes) => {
      const start = process.threadCpuUsage().user;
      while (process.threadCpuUsage().user - start < 1500 * caseLimits.cpu);
      return { again: bytes };
    },
    /took \d+ ms/,
  ],
  'takes memory that a length field asked for': [
    (bytes) => ({ again: Buffer.alloc(2 * caseLimits.memory), of: bytes }),
    /bytes of memory/,
  ],
}; // prettier-ignore

for (const [what, [read, message]] of Object.entries(faults)) {
  test(`a reader that ${what} is found, with the bytes to replay it`, async () => {
    const failure = await failureOf(read);
    assert.match(failure?.what ?? 'nothing was found', message);
    assert.ok(failure?.path !== undefined && failure.inputs.length === 3);
    assert.notDeepEqual(failure.inputs[0], valid);
  });
}

test('a reader that hangs is found by who watches its thread', async () => {
  const { failures } = await runFuzz({
    module: new URL('../support/hanging-reader-child.ts', import.meta.url),
    targets: ['hangs'],
    cases: 100,
    seed: 1,
    milliseconds: 60_000,
    threads: 1,
    hang: 500,
    heapMegabytes: 128,
  });
  assert.equal(failures.length, 1);
  assert.match(failures[0]?.what ?? '', /hangs/);
  assert.notDeepEqual(failures[0]?.inputs[0], valid);
});
