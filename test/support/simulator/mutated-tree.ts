/** A copy of the program in a temporary folder with some of its text replaced: what a test says of a defence that is missing. */
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../..', import.meta.url));

export interface Patch {
  /** From the program's folder. */
  readonly file: string;
  /** Stands there exactly once. */
  readonly text: string;
  readonly becomes: string;
}

export interface MutatedTree extends AsyncDisposable {
  /** `bin/fondue.js` of the copy. */
  readonly program: string;
}

/** The file's text after the patch. @throws Error where the text is not there exactly once */
export async function patched({ file, text, becomes }: Patch, folder: string = root): Promise<string> {
  const before = await readFile(join(folder, file), 'utf8');
  const parts = before.split(text);
  if (parts.length !== 2)
    throw new Error(`${file} has the text of a mutation ${parts.length - 1} times, not once:\n${text}`);
  return parts.join(becomes);
}

export async function mutateTree(patches: readonly Patch[]): Promise<MutatedTree> {
  const folder = await mkdtemp(join(tmpdir(), 'fondue-mutated-'));
  const dispose = (): Promise<void> => rm(folder, { recursive: true, force: true });
  try {
    for (const part of ['bin', 'src', 'package.json', 'package-lock.json'])
      await cp(join(root, part), join(folder, part), { recursive: true });
    await symlink(join(root, 'node_modules'), join(folder, 'node_modules'));
    for (const patch of patches) await writeFile(join(folder, patch.file), await patched(patch, folder));
  } catch (error) {
    await dispose();
    throw error;
  }
  return { program: join(folder, 'bin/fondue.js'), [Symbol.asyncDispose]: dispose };
}
