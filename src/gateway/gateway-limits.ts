/** The gateway's part of the table of limits; tests lower single ones. */
import type { limits } from '../core/limits.ts';

export type GatewayLimits = { readonly [K in keyof typeof limits.gateway]: number };
