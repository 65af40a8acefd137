/** What the fake PyPI holds: projects of files, with a serial that grows with each change. */
import type { FakeProject } from './pages.ts';
import type { FakeFile } from './wheel.ts';

interface HeldProject extends FakeProject {
  /** Wall clock, ms. */
  readonly changedAt: number;
}

/** As the changelog tells it. */
export interface FakeEvent {
  readonly name: string;
  readonly action: string;
  readonly serial: number;
}

export interface Content {
  events(): readonly FakeEvent[];
  project(name: string): HeldProject | undefined;
  projects(): HeldProject[];
  /** By its `/packages/` path. */
  file(path: string): FakeFile | undefined;
  serial(): number;
  add(file: FakeFile): void;
  removeFile(filename: string): void;
  removeProject(name: string): void;
  setStatus(project: string, status: string): void;
}

export function createContent(start: readonly FakeFile[]): Content {
  const projects = new Map<string, HeldProject>();
  const byPath = new Map<string, FakeFile>();
  const events: FakeEvent[] = [];
  let serial = 1000;

  function change(name: string, files: readonly FakeFile[], status?: string): void {
    projects.set(name, {
      name,
      files,
      serial: ++serial,
      status: status ?? projects.get(name)?.status,
      changedAt: Date.now(),
    });
    events.push({ name, action: 'change', serial });
  }
  function add(file: FakeFile): void {
    byPath.set(file.path, file);
    const others = projects.get(file.project)?.files ?? [];
    change(file.project, [...others.filter((other) => other.filename !== file.filename), file]);
  }
  for (const file of start) add(file);

  return {
    project: (name) => projects.get(name),
    projects: () => [...projects.values()],
    file: (path) => byPath.get(path),
    serial: () => serial,
    events: () => events,
    add,
    removeFile(filename) {
      for (const file of byPath.values()) {
        if (file.filename !== filename) continue;
        byPath.delete(file.path);
        const others = projects.get(file.project)?.files ?? [];
        change(
          file.project,
          others.filter((other) => other !== file),
        );
      }
    },
    removeProject(name) {
      for (const file of projects.get(name)?.files ?? []) byPath.delete(file.path);
      projects.delete(name);
      events.push({ name, action: 'remove project', serial: ++serial });
    },
    setStatus(project, status) {
      change(project, projects.get(project)?.files ?? [], status);
    },
  };
}
