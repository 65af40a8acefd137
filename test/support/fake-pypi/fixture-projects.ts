/** The fixtures' real wheels with what the real pages say of them; files that no page names say what they hold themselves. */
import { readdirSync } from 'node:fs';
import { fixturePage, fixturePath } from '../fixtures.ts';
import { type FakeFile, fileFromDisk, parseFilename } from './wheel.ts';

interface PageEntry {
  readonly filename: string;
  readonly url: string;
  readonly hashes: { readonly sha256?: string };
  readonly 'requires-python'?: string | null;
  readonly 'upload-time'?: string;
  readonly yanked?: boolean | string;
}

/** Only files that are in the fixtures' `files/`; `names` are normalized project names, default all. */
export function fixtureProjects(options: { names?: readonly string[] | undefined } = {}): FakeFile[] {
  const entries = new Map<string, Map<string, PageEntry>>();
  const pages = new Set(readdirSync(fixturePath('index')).map((name) => name.replace(/\.json\.gz$/, '')));
  const entriesOf = (project: string): Map<string, PageEntry> => {
    let known = entries.get(project);
    if (known === undefined) {
      const files = pages.has(project)
        ? (JSON.parse(fixturePage(project).toString()) as { files: PageEntry[] }).files
        : [];
      known = new Map(files.map((entry) => [entry.filename, entry]));
      entries.set(project, known);
    }
    return known;
  };
  const files: FakeFile[] = [];
  for (const filename of readdirSync(fixturePath('files')).sort()) {
    const { project } = parseFilename(filename);
    if (options.names && !options.names.includes(project)) continue;
    const entry = entriesOf(project).get(filename);
    const path = fixturePath(`files/${filename}`);
    files.push(
      entry
        ? fileFromDisk(path, {
            path: entry.url,
            sha256: entry.hashes.sha256,
            requiresPython: entry['requires-python'] ?? undefined,
            uploadTime: entry['upload-time'],
            yanked: entry.yanked,
          })
        : unlisted(path),
    );
  }
  return files;
}

function unlisted(path: string): FakeFile {
  const file = fileFromDisk(path);
  const requiresPython = /^Requires-Python: *(.*)$/m.exec(file.metadata()?.toString() ?? '')?.[1];
  const facts = { requiresPython, sha256: file.sha256, uploadTime: '2026-11-01T00:00:00.000000Z' };
  return fileFromDisk(path, facts);
}
