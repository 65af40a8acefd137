/** How the simulated PyPI begins and changes: releases of popular and of new projects, removals, quarantine, downtime. */
import { parseProjectName } from '../../core/project-name.ts';
import type { Randomness } from '../../core/clock.ts';
import { createZipf, draw, drawInt } from '../scenario/samplers.ts';
import type { Scenario } from '../scenario/scenario.ts';
import { projectNames } from './project-names.ts';
import { recur, type Timetable } from './schedule.ts';
import type { UpstreamHost } from './upstream-host.ts';
import type { IndexFile, UpstreamIndex } from './upstream-index.ts';

/** A run holds thousands of files in memory: what is drawn beyond this is cut to it. */
const LARGEST = 32 << 20;
const NEW_PROJECTS = 0.1;
/** How long PyPI's people need to look at a quarantined project. */
const QUARANTINE = 600e6;

export interface GrowthDeps {
  readonly kernel: Timetable;
  readonly index: UpstreamIndex;
  readonly stream: (purpose: string) => Randomness;
}

function fileSize(scenario: Scenario, randomness: Randomness): number {
  const size = Math.round(draw(scenario.workload.upstream.fileSize, randomness));
  return Math.min(LARGEST, Math.max(1, size));
}

/** One release of each project. */
export function fillIndex(scenario: Scenario, { index, stream }: GrowthDeps): void {
  const sizes = stream('first files');
  for (const name of projectNames(scenario.workload.upstream.projects))
    index.addFile(name, fileSize(scenario, sizes));
}

/** Begins now. */
export function growIndex(scenario: Scenario, { kernel, index, stream }: GrowthDeps): void {
  const { newFiles, removals, quarantine, upstream, pip } = scenario.workload;
  const pick = createZipf(upstream.projects, pip?.popularity.zipf ?? 1);
  const names = projectNames(upstream.projects);
  if (newFiles !== undefined) {
    const randomness = stream('new files');
    let begun = 0;
    recur(kernel, newFiles, randomness, () => {
      const [size, isNew, rank] = [fileSize(scenario, randomness), randomness.float(), pick(randomness)];
      const known = names[rank] as (typeof names)[number];
      index.addFile(isNew < NEW_PROJECTS ? parseProjectName(`newcomer-${begun++}`) : known, size);
    });
  }
  if (removals !== undefined) {
    const randomness = stream('removals');
    recur(kernel, removals, randomness, () => {
      const files = index.names().flatMap((name): readonly IndexFile[] => index.page(name)?.files ?? []);
      const at = Math.floor(randomness.float() * files.length);
      if (files[at] !== undefined) index.removeFile(files[at]);
    });
  }
  if (quarantine !== undefined) {
    const randomness = stream('quarantine');
    recur(kernel, quarantine, randomness, () => {
      const name = names[drawInt(names.length, randomness)] as (typeof names)[number];
      index.quarantine(name);
      kernel.schedule(QUARANTINE, 'start', kernel.world, () => index.quarantine(name, false));
    });
  }
}

/** Random downtime, besides the faults; begins now, answering. */
export function breakUpstream(
  scenario: Scenario,
  { kernel, stream }: GrowthDeps,
  upstream: Pick<UpstreamHost, 'begin' | 'end'>,
): void {
  const { outages } = scenario.workload.upstream;
  if (outages === undefined) return;
  const randomness = stream('outages');
  const turn = (down: boolean): void => {
    if (down) upstream.begin('outage', 'blackhole');
    else upstream.end('outage');
    const length = draw(down ? outages.down : outages.up, randomness);
    kernel.schedule(length, down ? 'cut' : 'heal', kernel.world, () => turn(!down));
  };
  turn(false);
}
