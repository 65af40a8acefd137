/**
 * From one node to another, beside a raw libp2p Noise stream and a raw TCP stream of the same bytes, in the same rounds: two
 * real nodes, asked over HTTP, to the moment when the files are synced in the second one's store; and the blob protocol alone.
 */
import { join } from 'node:path';
import { mkdir } from 'node:fs/promises';
import { startNodePair } from './bench-nodes.ts';
import { type Goal, rowOf } from './bench-row.ts';
import { benchTransfer, transferSizes } from './bench-transfer.ts';
import type { BenchOptions } from './bench-warm.ts';

const BIG: Goal = { of: 'ratio', is: 'at least', value: 0.9 };
const SMALL: Goal = { of: 'ours', is: 'at least', value: 2000 };

export async function benchBetween({ quick, folder, onRow }: BenchOptions): Promise<void> {
  const { rounds, ...sizes } = transferSizes(quick);
  const own = join(folder, 'between');
  await mkdir(own);
  await using pair = await startNodePair({ ...sizes, folder: own, rounds: rounds + 1 });
  const { samples, also } = await benchTransfer({ quick, also: { big: pair.big, small: pair.small } });

  const { bigBytes, smallFiles } = sizes;
  const megabytes = (times: readonly number[] = []): number[] => times.map((ms) => bigBytes / 1000 / ms);
  const files = (times: readonly number[] = []): number[] => times.map((ms) => (smallFiles * 1000) / ms);
  const big = { unit: 'MB/s', theirs: megabytes(samples.noise), beside: 'Noise' };
  // Requests of a byte and answers of 64 KB on bare Noise streams, as many in flight: no hash, no file, no second thread.
  const small = { unit: 'files/s', theirs: files(samples.bare), beside: 'bare Noise', goal: SMALL };
  const named = `${bigBytes / 1e6} MB`;
  const many = `${smallFiles} files of 64 KB, 16 in flight`;
  onRow(rowOf({ ...big, what: `${named}, node to node`, ours: megabytes(also['big']), goal: BIG }));
  onRow(rowOf({ ...big, what: `${named}, blob protocol alone`, ours: megabytes(samples.blob), goal: BIG }));
  onRow(
    rowOf({
      what: `${named}, node to node, beside TCP`,
      unit: 'MB/s',
      ours: megabytes(also['big']),
      theirs: megabytes(samples.tcp),
      beside: 'TCP',
    }),
  );
  onRow(rowOf({ ...small, what: `${many}, nodes, synced`, ours: files(also['small']) }));
  onRow(rowOf({ ...small, what: `${many}, blob protocol`, ours: files(samples.small) }));
}
