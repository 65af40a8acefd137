/**
 * At the start: what is held and has become private since (a name was added to `private`, an upstream was called private) is
 * marked so before any peer can ask for it. Nothing becomes public again.
 */
import type { Digest } from '../core/digest.ts';
import type { ProjectName } from '../core/project-name.ts';
import type { BlobStore } from '../store/blob-store.ts';
import type { Catalog } from '../store/catalog.ts';
import { readPage } from './read-page.ts';
import { advertisedHash } from './served-page.ts';

export interface HidePrivateDeps {
  readonly catalog: Pick<Catalog, 'pages' | 'page' | 'fileOrigin' | 'wheelMetadata'>;
  readonly store: Pick<BlobStore, 'list' | 'stat' | 'visibility' | 'markVisibility'>;
  readonly isPrivate: (project: ProjectName) => boolean;
  /** URL of the index whose files are private; undefined: it is public. */
  readonly privateUpstream: string | undefined;
}

export async function hidePrivate(deps: HidePrivateDeps): Promise<void> {
  const { catalog, store } = deps;
  const hide = async (digest: Digest | undefined): Promise<void> => {
    if (digest === undefined || store.stat(digest) === undefined || store.visibility(digest) === 'private')
      return;
    await store.markVisibility(digest, 'private');
  };

  // Reading pages takes long; where all is private already, none needs to be read.
  if (![...store.list()].some(({ visibility }) => visibility === 'public')) return;
  // A page names its files and their metadata.
  for await (const { project } of catalog.pages()) {
    const named = deps.isPrivate(project);
    if (!named && deps.privateUpstream === undefined) continue;
    const kept = await catalog.page(project);
    if (kept?.kind !== 'page' || (!named && kept.upstream !== deps.privateUpstream)) continue;
    for (const file of readPage(kept, project)?.page.files ?? []) {
      await hide(file.sha256);
      await hide(advertisedHash(file));
    }
  }
  // The page may be gone. A list of its own: marking changes what is listed.
  const held = [...store.list()];
  for (const { digest } of held) {
    const origin = await catalog.fileOrigin(digest);
    if (origin === undefined || !deps.isPrivate(origin.project)) continue;
    await hide(digest);
    const made = await catalog.wheelMetadata(digest);
    if (made !== 'none') await hide(made);
  }
}
