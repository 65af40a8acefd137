/**
 * One case: bytes are read by a target. Must hold: what is refused is refused with the reader's own error; what is accepted
 * encodes to exactly the bytes that were read; what it claims to be signed was signed; and neither time nor memory runs away.
 */
import type { Arbitrary } from 'fast-check';
import { getHeapStatistics } from 'node:v8';
import { FondueError } from '../src/core/errors.ts';
import type { Format } from './fuzz-alter.ts';

export interface Reading {
  /** What was read, encoded again. */
  readonly again: Uint8Array;
  /** What `again` must be, where that is not all that was read. */
  readonly of?: Uint8Array;
  /** What it was believed to prove: each claim must be one that a valid message makes too, or that is true. */
  readonly claims?: readonly string[];
}

export interface Target {
  readonly name: string;
  readonly format: Format;
  /** How many bytes stand before what has the format; 0 by default. */
  readonly head?: (bytes: Uint8Array) => number;
  readonly valid: Arbitrary<Uint8Array>;
  /** Bytes of a stranger: throws a {@link refusals}. */
  readonly read: (bytes: Uint8Array) => Reading | Promise<Reading>;
  readonly refusals: readonly (new (...facts: never[]) => FondueError)[];
  readonly isTrue?: (claim: string) => boolean;
}

export interface CaseLimits {
  /** CPU time of one reading in ms, and what it may allocate in bytes. */
  readonly cpu: number;
  readonly memory: number;
}

export const caseLimits: CaseLimits = { cpu: 50, memory: 48 * 1024 * 1024 };

export type Outcome =
  | { readonly kind: 'accepted'; readonly claims: readonly string[] }
  | { readonly kind: 'refused'; readonly code: string };

/** A target that does what none may do. `inputs`: what was read, then the valid messages that it was made of. */
export class FuzzFailure extends Error {
  readonly inputs: readonly Uint8Array[];
  constructor(what: string, inputs: readonly Uint8Array[], options?: ErrorOptions) {
    super(what, options);
    this.inputs = inputs;
  }
}

/** The bytes of a valid message. @throws FuzzFailure unless they are read as what they are */
export async function checkValid(target: Target, bytes: Uint8Array): Promise<readonly string[]> {
  const outcome = await checkBytes(target, bytes, []);
  if (outcome.kind === 'refused')
    throw new FuzzFailure(`a valid message was refused with ${outcome.code}`, [bytes]);
  return outcome.claims;
}

/** Bytes made of valid ones, which make the `claims`. @throws FuzzFailure */
export async function checkAltered(
  target: Target,
  bytes: Uint8Array,
  originals: readonly Uint8Array[],
  claims: readonly string[],
): Promise<Outcome> {
  const outcome = await checkBytes(target, bytes, originals);
  if (outcome.kind === 'refused') return outcome;
  const forged = outcome.claims.find((claim) => !claims.includes(claim) && target.isTrue?.(claim) !== true);
  if (forged !== undefined)
    throw new FuzzFailure(`what nobody signed was believed: ${JSON.stringify(forged.slice(0, 200))}`, [
      bytes,
      ...originals,
    ]);
  return outcome;
}

async function checkBytes(
  target: Target,
  bytes: Uint8Array,
  originals: readonly Uint8Array[],
): Promise<Outcome> {
  const inputs = [bytes, ...originals];
  // A pause (garbage, a compiler) may fall into one reading; not into three of the same.
  let measured = await readOnce(target, bytes, inputs);
  for (let more = 0; more < 2 && isOver(measured); more++) {
    const again = await readOnce(target, bytes, inputs);
    measured = {
      ...again,
      cpu: Math.min(measured.cpu, again.cpu),
      memory: Math.min(measured.memory, again.memory),
    };
  }
  if (measured.cpu > caseLimits.cpu)
    throw new FuzzFailure(`took ${measured.cpu.toFixed(0)} ms for ${bytes.length} bytes`, inputs);
  if (measured.memory > caseLimits.memory)
    throw new FuzzFailure(`took ${measured.memory} bytes of memory for ${bytes.length} bytes`, inputs);
  const { reading, code } = measured;
  if (reading === undefined) return { kind: 'refused', code };
  if (Buffer.compare(reading.again, reading.of ?? bytes) !== 0)
    throw new FuzzFailure('was accepted, and encodes to other bytes', inputs);
  return { kind: 'accepted', claims: reading.claims ?? [] };
}

interface Measured {
  readonly reading: Reading | undefined;
  readonly code: string;
  readonly cpu: number;
  readonly memory: number;
}

const isOver = ({ cpu, memory }: Measured): boolean => cpu > caseLimits.cpu || memory > caseLimits.memory;

function allocated(): number {
  const heap = getHeapStatistics();
  return heap.used_heap_size + heap.external_memory;
}

async function readOnce(target: Target, bytes: Uint8Array, inputs: readonly Uint8Array[]): Promise<Measured> {
  const before = allocated();
  const start = process.threadCpuUsage();
  let reading: Reading | undefined;
  let code = '';
  try {
    const read = target.read(bytes);
    reading = read instanceof Promise ? await read : read;
  } catch (error) {
    if (!(error instanceof FondueError) || !target.refusals.some((refusal) => error instanceof refusal))
      throw new FuzzFailure(`ended in ${String(error).slice(0, 300)}`, inputs, { cause: error });
    code = error.code;
  }
  const { user, system } = process.threadCpuUsage(start);
  return { reading, code, cpu: (user + system) / 1000, memory: allocated() - before };
}
