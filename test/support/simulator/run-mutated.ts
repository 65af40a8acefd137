/** Runs a mutation's scenario in a copy of the program with the patches, or without. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { mutateTree } from './mutated-tree.ts';
import type { Mutation } from './mutations.ts';

interface Finding {
  readonly what: string;
  readonly verdict: 'pass' | 'fail' | 'inconclusive';
  readonly why: string;
}

/** What was found; the patches are those of `mutation`, or none. */
export async function runMutated(
  { scenario, patches }: Pick<Mutation, 'scenario' | 'patches'>,
  { mutated }: { mutated: boolean },
): Promise<readonly Finding[]> {
  await using tree = await mutateTree(mutated ? patches : []);
  const folder = await mkdtemp(join(tmpdir(), 'fondue-mutation-'));
  try {
    await writeFile(join(folder, 'mutation.yaml'), scenario);
    const args = [tree.program, 'sim', 'run', './mutation.yaml', '--seed', '1', '--out', 'run', '--json'];
    const { code, out, errors } = await finished(args, folder);
    assert.ok(code === 0 || code === 1, `exit code ${String(code)}: ${errors}`);
    const { findings } = JSON.parse(out) as { findings: Finding[] };
    assert.equal(
      code === 0,
      findings.every(({ verdict }) => verdict === 'pass'),
    );
    return findings;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The names of what failed. */
export function failed(findings: readonly Finding[]): string[] {
  return findings.filter(({ verdict }) => verdict === 'fail').map(({ what }) => what);
}

function finished(
  args: readonly string[],
  cwd: string,
): Promise<{ code: number | string; out: string; errors: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, args, { cwd, maxBuffer: 64 * 2 ** 20 }, (error, out, errors) => {
      resolve({ code: error === null ? 0 : (error.code ?? String(error.signal)), out, errors });
    });
  });
}
