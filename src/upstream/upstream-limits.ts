/** The bounds towards the upstream, replaceable in tests. */
import type { limits } from '../core/limits.ts';

export type UpstreamLimits = { readonly [K in keyof typeof limits.upstream]: number };
