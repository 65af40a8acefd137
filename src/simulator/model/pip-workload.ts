/**
 * Installations on the gateways, Poisson, of projects by Zipf. Who installs what and when is drawn whatever the nodes' state,
 * so that the points of a sweep share it; where a node is down nobody installs.
 */
import type { Randomness } from '../../core/clock.ts';
import { createVirtualClock } from '../kernel/virtual-clock.ts';
import type { SimulatedWorld } from '../nodes/simulated-world.ts';
import { createZipf, drawInt } from '../scenario/samplers.ts';
import type { PipWorkload } from '../scenario/scenario.ts';
import type { ProjectName } from '../../core/project-name.ts';
import { contentKey } from './content-key.ts';
import type { Attempt, AttemptEnd, Tell } from './model-event.ts';
import { fetchFile, fetchPage, type PipClientDeps } from './pip-client.ts';
import { projectNames } from './project-names.ts';
import { recur, type Timetable } from './schedule.ts';
import type { UpstreamHost } from './upstream-host.ts';

export interface PipWorkloadDeps {
  readonly world: Pick<SimulatedWorld, 'kernel' | 'members'>;
  readonly upstream: Pick<UpstreamHost, 'isOpenTo'>;
  readonly tell: Tell;
  readonly randomness: Randomness;
}

/** Begins now. */
export function installPackages(
  pip: PipWorkload,
  { nodes, projects }: { readonly nodes: readonly number[]; readonly projects: number },
  deps: PipWorkloadDeps,
): void {
  let attempts = 0;
  planInstallations(pip, { nodes, projects }, deps.world.kernel, deps.randomness, (node, project) =>
    install(node, project, deps, () => attempts++),
  );
}

/** Who installs what, and when: `begin` is called as the timetable goes. */
export function planInstallations(
  pip: PipWorkload,
  { nodes, projects }: { readonly nodes: readonly number[]; readonly projects: number },
  timetable: Timetable,
  randomness: Randomness,
  begin: (node: number, project: ProjectName) => void,
): void {
  const rank = createZipf(projects, pip.popularity.zipf);
  const names = projectNames(projects);
  const rate = pip.per === 'node' ? pip.rate * nodes.length : pip.rate;
  if (rate <= 0 || nodes.length === 0) return;
  recur(timetable, { kind: 'rate', rate }, randomness, () => {
    const node = nodes[drawInt(nodes.length, randomness)] as number;
    const project = names[rank(randomness)] as ProjectName;
    begin(node, project);
  });
}

function install(
  node: number,
  project: ProjectName,
  { world, upstream, tell }: PipWorkloadDeps,
  nextId: () => number,
): void {
  const { kernel } = world;
  const member = world.members[node];
  const { owner, node: running } = member ?? {};
  if (member === undefined || owner === undefined || running === undefined) return;
  const clock = createVirtualClock(kernel, owner);
  const client: PipClientDeps = { mirror: running.mirror, clock };
  const { incarnation } = owner;
  const begin = (what: Attempt['what'], digest: Attempt['digest']): Attempt => {
    const attempt = { id: nextId(), node, incarnation, what, project, digest };
    const onDisk = digest !== undefined && member.disk.blobs.blobs.has(digest);
    const upstreamOpen = upstream.isOpenTo(node);
    tell(kernel.now, { kind: 'attempt-began', attempt, onDisk, upstreamOpen });
    return attempt;
  };
  const ended = (attempt: Attempt, end: AttemptEnd): void =>
    tell(kernel.now, { kind: 'attempt-ended', attempt, end });
  const work = async (): Promise<void> => {
    const page = begin('page', undefined);
    const given = await fetchPage(client, project);
    ended(page, given.end);
    const { answer, newest } = given;
    if (answer?.kind === 'page' || answer?.kind === 'absent') {
      const served = answer.kind === 'page' ? answer.served : undefined;
      tell(kernel.now, {
        kind: 'page-served',
        node,
        project,
        content: served && contentKey(served.page.files),
        serial: served?.serial === undefined ? undefined : Number(served.serial),
        ageSeconds: answer.ageSeconds,
      });
    }
    if (newest === undefined) return;
    const file = begin('file', newest.sha256);
    ended(file, await fetchFile(client, newest));
  };
  kernel.perform(owner, work).catch((error: Error) => kernel.fail(error));
}
