/**
 * What a parsed page weighs in memory, in times of its JSON: `node --expose-gc scripts/measure-page-weight.ts FOLDER`, where
 * FOLDER holds real pages as `<project>.json.gz`. `PARSED_WEIGHT` in `src/mirror/kept-pages.ts` comes from here.
 */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { parseProjectName } from '../src/core/project-name.ts';
import { filesOf } from '../src/mirror/page-files.ts';
import { parsePage } from '../src/mirror/read-page.ts';
import { createServedPage } from '../src/mirror/served-page.ts';

const [, , folder] = process.argv;
const { gc } = globalThis;
assert.ok(
  folder !== undefined && gc !== undefined,
  'usage: node --expose-gc scripts/measure-page-weight.ts FOLDER',
);

const SUFFIX = '.json.gz';
const names = readdirSync(folder).filter((name) => name.endsWith(SUFFIX));
const held: unknown[] = [];
const heap = (): number => {
  gc();
  gc();
  return process.memoryUsage().heapUsed;
};

interface Weight {
  readonly name: string;
  readonly bytes: number;
  readonly parsed: number;
  readonly indexed: number;
}

function weigh(file: string): Weight {
  const name = file.slice(0, -SUFFIX.length);
  const before = heap();
  let bytes = 0;
  const served = (() => {
    const body = gunzipSync(readFileSync(join(folder as string, file)));
    bytes = body.length;
    const source = {
      body,
      format: 'json',
      url: `https://pypi.org/simple/${name}/`,
      serial: undefined,
    } as const;
    return createServedPage({ ...parsePage(source, parseProjectName(name)), marks: new Map() });
  })();
  held.push(served);
  const parsed = heap() - before;
  filesOf(served.page).byName('');
  return { name, bytes, parsed, indexed: heap() - before };
}

weigh(names[0] ?? '');
const weights = names.map(weigh).sort((a, b) => b.bytes - a.bytes);
const sum = (key: 'bytes' | 'parsed' | 'indexed'): number =>
  weights.reduce((total, weight) => total + weight[key], 0);
const times = (weight: number, bytes: number): string => (weight / bytes).toFixed(2);
for (const { name, bytes, parsed, indexed } of weights)
  console.log(
    `${name} ${bytes} bytes, parsed x${times(parsed, bytes)}, with its files looked up x${times(indexed, bytes)}`,
  );
console.log(
  `${weights.length} pages, ${sum('bytes')} bytes, parsed x${times(sum('parsed'), sum('bytes'))}, with their files looked up x${times(sum('indexed'), sum('bytes'))}`,
);
