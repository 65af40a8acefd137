/** Where an export's pages and files come from. Implementation: `gateway-source.ts`. Everything throws where it cannot be had now. */
import type { ProjectFile, ProjectPage } from '../../core/project-page.ts';
import type { ProjectName } from '../../core/project-name.ts';

export interface ExportSource extends AsyncDisposable {
  /** The whole list of projects. */
  names(): AsyncIterable<ProjectName>;
  page(project: ProjectName): Promise<ProjectPage | 'absent'>;
  /** Of one that has a sha256; the caller checks it. */
  file(file: ProjectFile): Promise<AsyncIterable<Uint8Array>>;
  /** Undefined: it has none. */
  metadata(file: ProjectFile): Promise<Uint8Array | undefined>;
}
