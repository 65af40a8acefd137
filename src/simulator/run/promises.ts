/** Promises of the design that a run can break, seen from outside the nodes: what clients were given against what was true. */
import type { Digest } from '../../core/digest.ts';
import type { ProjectName } from '../../core/project-name.ts';
import type { ModelEvent } from '../model/model-event.ts';
import type { UpstreamIndex } from '../model/upstream-index.ts';
import type { Invariant } from '../scenario/scenario.ts';

export interface Violation {
  readonly invariant: Invariant;
  /** Kernel's microseconds. */
  readonly at: number;
  readonly node: number;
  readonly what: string;
}

/** A version of a page was the upstream's in [from, until). */
interface Version {
  readonly serial: number;
  readonly content: Digest;
  readonly from: number;
  until: number;
}

/** How long removed files may still be served where publishers are heard, once those have seen it. */
const REMOVED_SERVED = 120e6;
/** Ages are told in whole seconds, rounded up; clocks show whole milliseconds. */
const CLOCK_STEP = 1e3;

export class Promises {
  readonly violations: Violation[] = [];
  readonly #checks = new Map<Invariant, number>();
  readonly #index: UpstreamIndex;
  readonly #seenAfter: number;
  readonly #versions = new Map<ProjectName, Version[]>();
  readonly #removedAt = new Map<Digest, number>();
  /** By node, with the disk that it has, and project: the highest serial that was served. */
  readonly #served = new Map<number, Map<ProjectName, number>>();
  readonly #disks: (node: number) => { readonly has: (digest: Digest) => boolean };
  readonly #acknowledged = new Map<number, Set<Digest>>();
  readonly #connectedSince: (node: number) => number | undefined;
  readonly #isByzantine: (fault: string) => boolean;
  /** Of liars nothing is promised, not when they have stopped lying either. */
  readonly #liars = new Set<number>();

  constructor(
    index: UpstreamIndex,
    truth: {
      readonly disks: (node: number) => { readonly has: (digest: Digest) => boolean };
      /** When publishers have seen a change at the latest; microseconds. */
      readonly seenAfter: number;
      /** Since when, without a break, the node can hear enough publishers; undefined: it cannot. */
      readonly connectedSince: (node: number) => number | undefined;
      /** Of a fault: the hosts that it makes liars. */
      readonly isByzantine: (fault: string) => boolean;
    },
  ) {
    this.#index = index;
    this.#seenAfter = truth.seenAfter;
    this.#disks = truth.disks;
    this.#connectedSince = truth.connectedSince;
    this.#isByzantine = truth.isByzantine;
    for (const name of index.names()) this.#noteVersion(0, name);
  }

  observe(at: number, event: ModelEvent): void {
    switch (event.kind) {
      case 'index-changed':
        this.#noteVersion(at, event.change.page.project);
        if (event.change.kind === 'file-removed') this.#removedAt.set(event.change.file.digest, at);
        break;
      case 'page-served':
        this.#checkPage(at, event);
        break;
      case 'attempt-ended':
        this.#checkFile(at, event);
        break;
      case 'fact': {
        const { name, fact, node } = event;
        if (name === 'blob:added') this.#blobs(node).add((fact as { digest: Digest }).digest);
        if (name === 'blob:evicted' || name === 'blob:corrupt')
          this.#blobs(node).delete((fact as { digest: Digest }).digest);
        break;
      }
      case 'fault-began':
        if (this.#isByzantine(event.fault)) for (const node of event.hosts) this.#liars.add(node);
        break;
      case 'node-wiped':
        this.#blobs(event.node).clear();
        this.#served.delete(event.node);
        break;
      case 'node-up':
        for (const digest of this.#blobs(event.node)) {
          this.#checked('lost_blob');
          if (!this.#disks(event.node).has(digest))
            this.#break('lost_blob', at, event.node, `blob ${digest} was acknowledged before it went down`);
        }
        break;
      default:
    }
  }

  count(invariant: Invariant): number {
    return this.violations.filter((one) => one.invariant === invariant).length;
  }

  /** How often something happened that could have broken it. */
  checks(invariant: Invariant): number {
    return this.#checks.get(invariant) ?? 0;
  }

  #checkPage(at: number, event: Extract<ModelEvent, { kind: 'page-served' }>): void {
    const { node, project, content, serial, ageSeconds } = event;
    if (this.#liars.has(node)) return;
    const versions = this.#versions.get(project) ?? [];
    this.#checked('unfounded_404');
    if (content === undefined) {
      if (versions.length > 0)
        this.#break('unfounded_404', at, node, `${project} is there, 404 was answered`);
      return;
    }
    this.#checked('unproven_page');
    const same = versions.filter((one) => one.content === content);
    const version = same.find((one) => one.serial === serial) ?? same.at(-1);
    if (version === undefined) {
      this.#break('unproven_page', at, node, `the upstream never had ${project} as it was served`);
      return;
    }
    this.#checked('age_understated');
    const claimed = at - ageSeconds * 1e6;
    if (claimed > version.until + CLOCK_STEP) {
      const late = ((claimed - version.until) / 1e6).toFixed(1);
      this.#break('age_understated', at, node, `${project}: its age was told ${late} s too young`);
    }
    const served = this.#served.get(node) ?? new Map<ProjectName, number>();
    const before = served.get(project);
    if (before !== undefined) {
      this.#checked('index_rollback');
      if (version.serial < before)
        this.#break('index_rollback', at, node, `${project}: serial ${version.serial} after ${before}`);
    }
    this.#served.set(node, served.set(project, Math.max(before ?? 0, version.serial)));
  }

  #checkFile(at: number, { attempt, end }: Extract<ModelEvent, { kind: 'attempt-ended' }>): void {
    const { node, digest, project } = attempt;
    if (this.#liars.has(node)) return;
    if (end.outcome === 'wrong' || (digest !== undefined && end.outcome === 'verified'))
      this.#checked('wrong_bytes');
    if (end.outcome === 'wrong') this.#break('wrong_bytes', at, node, `${project}: ${end.reason ?? ''}`);
    if (digest === undefined) return;
    const removed = this.#removedAt.get(digest);
    if (end.outcome === 'absent' || end.outcome === 'verified') this.#checked('unfounded_404');
    if (end.outcome === 'absent' && removed === undefined && this.#index.fileOf(digest) !== undefined)
      this.#break('unfounded_404', at, node, `file ${digest} of ${project} is there, 404 was answered`);
    if (end.outcome !== 'verified') return;
    this.#checked('unproven_page');
    if (this.#index.fileOf(digest) === undefined)
      this.#break('unproven_page', at, node, `the upstream never had the file ${digest} of ${project}`);
    const heardSince = Math.max(removed ?? Infinity, this.#connectedSince(node) ?? Infinity);
    if (removed !== undefined && heardSince < Infinity) this.#checked('removed_served');
    if (removed !== undefined && at - heardSince > REMOVED_SERVED + this.#seenAfter)
      this.#break(
        'removed_served',
        at,
        node,
        `file ${digest} of ${project} was removed ${(at - removed) / 1e6} s ago`,
      );
  }

  #noteVersion(at: number, project: ProjectName): void {
    const page = this.#index.page(project);
    if (page === undefined) return;
    const versions = this.#versions.get(project) ?? [];
    const last = versions.at(-1);
    if (last !== undefined) last.until = at;
    versions.push({ serial: page.serial, content: page.content, from: at, until: Infinity });
    this.#versions.set(project, versions);
  }

  #blobs(node: number): Set<Digest> {
    const known = this.#acknowledged.get(node) ?? new Set<Digest>();
    this.#acknowledged.set(node, known);
    return known;
  }

  #checked(invariant: Invariant): void {
    this.#checks.set(invariant, this.checks(invariant) + 1);
  }

  #break(invariant: Invariant, at: number, node: number, what: string): void {
    if (!this.#liars.has(node)) this.violations.push({ invariant, at, node, what });
  }
}
