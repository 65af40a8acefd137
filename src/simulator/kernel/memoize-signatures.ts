/**
 * Signatures that were checked or made before: in a simulation every node checks the same peer records and heads, and signs
 * the same text for each handshake. Ed25519 alone, where a signature depends on nothing but key and message: the bytes and
 * the answers are those of `node:crypto`.
 */
import crypto, { type KeyObject } from 'node:crypto';
import { syncBuiltinESMExports } from 'node:module';

/** When there are more, all are forgotten: what is asked again is remembered again. */
const ENTRIES = 5000;
const LONGEST_MESSAGE = 4096;
/** The object identifier of Ed25519, as DER has it. */
const ED25519 = Buffer.from('06032b6570', 'hex');

type Anything = (...args: unknown[]) => unknown;

export function memoizeSignatures(): void {
  const { createPublicKey, createPrivateKey, sign, verify } = crypto as unknown as Record<string, Anything>;
  /** Of the keys made here. */
  const names = new WeakMap<object, string>();
  const keys = new Map<string, unknown>();
  const signatures = new Map<string, unknown>();
  const checks = new Map<string, unknown>();

  const makeKey = (kind: string, make: Anything) => (input: unknown) => {
    const name = nameOf(input);
    if (name === undefined) return make(input);
    return once(keys, kind + name, () => {
      const key = make(input) as KeyObject;
      names.set(key, kind + name);
      return key;
    });
  };
  const replacements = {
    createPublicKey: makeKey('public ', createPublicKey as Anything),
    createPrivateKey: makeKey('private ', createPrivateKey as Anything),
    sign(...args: unknown[]) {
      const name = question(names, args, 3);
      if (name === undefined) return (sign as Anything)(...args);
      const signature = once(signatures, name, () => (sign as Anything)(...args)) as Uint8Array;
      return Buffer.from(signature);
    },
    verify(...args: unknown[]) {
      const name = question(names, args, 4);
      if (name === undefined || !(args[3] instanceof Uint8Array)) return (verify as Anything)(...args);
      return once(checks, `${latin1(args[3])} ${name}`, () => (verify as Anything)(...args));
    },
  };
  for (const [name, value] of Object.entries(replacements))
    Object.defineProperty(crypto, name, { value, writable: true, configurable: true });
  syncBuiltinESMExports();
}

/** Key and message, where they decide everything. */
function question(
  names: WeakMap<object, string>,
  args: readonly unknown[],
  length: number,
): string | undefined {
  const [algorithm, message, key] = args;
  if (args.length !== length || (algorithm !== null && algorithm !== undefined)) return undefined;
  if (!(message instanceof Uint8Array) || message.length > LONGEST_MESSAGE) return undefined;
  const name = typeof key === 'object' && key !== null ? names.get(key) : undefined;
  return name === undefined ? undefined : `${name} ${latin1(message)}`;
}

function nameOf(input: unknown): string | undefined {
  if (typeof input !== 'object' || input === null) return undefined;
  const { format, key } = input as { readonly format?: unknown; readonly key?: unknown };
  if (format === 'der' && key instanceof Uint8Array && key.length < 64)
    return Buffer.from(key).includes(ED25519) ? latin1(key) : undefined;
  if (format !== 'jwk' || typeof key !== 'object' || key === null) return undefined;
  const { crv, d, x } = key as { readonly crv?: unknown; readonly d?: unknown; readonly x?: unknown };
  return crv === 'Ed25519' ? JSON.stringify([d, x]) : undefined;
}

function once(kept: Map<string, unknown>, name: string, make: () => unknown): unknown {
  const known = kept.get(name);
  if (known !== undefined) return known;
  const made = make();
  if (kept.size >= ENTRIES) kept.clear();
  kept.set(name, made);
  return made;
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
}
