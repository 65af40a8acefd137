/** The tidy table for those who read columns: the same rows as `metrics.csv`, in Parquet. */
import { parquetWriteBuffer } from 'hyparquet-writer';
import type { TidyRow } from './tidy-rows.ts';

export function renderParquet(rows: readonly TidyRow[]): Uint8Array {
  const long = (value: (row: TidyRow) => number | undefined): (bigint | null)[] =>
    rows.map((row) => {
      const one = value(row);
      return one === undefined ? null : BigInt(one);
    });
  const text = (value: (row: TidyRow) => string | undefined): (string | null)[] =>
    rows.map((row) => value(row) ?? null);
  const buffer = parquetWriteBuffer({
    columnData: [
      { name: 'run', data: long((row) => row.run), type: 'INT64', nullable: true },
      { name: 'point', data: long((row) => row.point), type: 'INT64', nullable: true },
      { name: 'time_us', data: long((row) => row.time), type: 'INT64', nullable: true },
      { name: 'node', data: long((row) => row.node), type: 'INT64', nullable: true },
      { name: 'group', data: text((row) => row.group), type: 'STRING', nullable: true },
      { name: 'metric', data: text((row) => row.metric), type: 'STRING', nullable: true },
      { name: 'value', data: rows.map(({ value }) => value ?? null), type: 'DOUBLE', nullable: true },
      { name: 'unit', data: text((row) => row.unit), type: 'STRING', nullable: true },
    ],
  });
  return new Uint8Array(buffer);
}
