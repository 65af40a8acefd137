/** A machine of a run, as groups and links see it. Clients live on their gateway's. */
import type { Role } from './group-expression.ts';

export interface ScenarioHost {
  /** The node's number, from 0; UPSTREAM for the upstream's machine. */
  readonly id: number;
  /** Empty for the upstream: it is as near to everyone as a CDN. */
  readonly region: string;
  readonly profile: string;
  readonly roles: readonly Role[];
}

export const UPSTREAM = -1;
export const upstreamHost: ScenarioHost = { id: UPSTREAM, region: '', profile: '', roles: ['upstream'] };
