/**
 * Work on other threads comes back when the machine likes: in a run it throws where it is called, and an async hook finds
 * what slipped past. Work that is done when the call returns is allowed, whatever handle it makes meanwhile.
 */
import { createHook } from 'node:async_hooks';
import childProcess from 'node:child_process';
import crypto from 'node:crypto';
import dgram from 'node:dgram';
import dns from 'node:dns';
import fs from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import { syncBuiltinESMExports } from 'node:module';
import net from 'node:net';
import tls from 'node:tls';
import workerThreads from 'node:worker_threads';
import zlib from 'node:zlib';
import { inlineZlib } from './inline-zlib.ts';
import type { Kernel } from './kernel.ts';
import { describeOwner } from './owner.ts';

/** What a run may make: ticks, microtasks, and (checked) the kernel's own `Immediate`. */
const allowed = new Set([
  'TickObject',
  'Microtask',
  // Only the context in which a stream's end is told; nothing waits for the machine.
  'STREAM_END_OF_STREAM',
]);

export class OffThreadError extends Error {
  override readonly name = 'OffThreadError';
}

type Anything = (...args: never[]) => unknown;

export function forbidOffThread(kernel: Kernel): void {
  // Made when first looked at, as `pipe` does: their handles are here before a run.
  void [process.stdout, process.stderr];
  let synchronous = 0;
  const complain = (what: string): OffThreadError => {
    const limit = Error.stackTraceLimit;
    Error.stackTraceLimit = 50;
    const error = new OffThreadError(
      `${what} of ${describeOwner(kernel.current)} at ${kernel.now} us: nothing of a simulated run may leave its thread`,
    );
    Error.stackTraceLimit = limit;
    kernel.fail(error);
    return error;
  };
  const forbid = (module: object, names: readonly string[], prefix: string): void => {
    for (const name of names) {
      const real = (module as Record<string, unknown>)[name];
      if (typeof real !== 'function') continue;
      const forbidden = function (this: unknown, ...args: never[]): unknown {
        if (kernel.running) throw complain(`${prefix}${name}()`);
        return new.target ? Reflect.construct(real, args, real) : (real as Anything).apply(this, args);
      };
      Object.setPrototypeOf(forbidden, real);
      Object.defineProperty(forbidden, 'prototype', { value: real.prototype as unknown });
      Object.defineProperty(module, name, { value: forbidden, writable: true, configurable: true });
    }
  };
  const permit = (module: object, names: readonly string[]): void => {
    for (const name of names) {
      const real = (module as Record<string, unknown>)[name];
      if (typeof real !== 'function') continue;
      const permitted = function (this: unknown, ...args: never[]): unknown {
        synchronous++;
        try {
          return (real as Anything).apply(this, args);
        } finally {
          synchronous--;
        }
      };
      Object.defineProperty(module, name, { value: permitted, writable: true, configurable: true });
    }
  };
  const functionsOf = (module: object): string[] =>
    Object.getOwnPropertyNames(module).filter(
      (name) =>
        name !== 'constructor' && typeof Object.getOwnPropertyDescriptor(module, name)?.value === 'function',
    );
  const isSync = (name: string): boolean => name.endsWith('Sync');

  forbid(crypto.subtle, functionsOf(Object.getPrototypeOf(crypto.subtle) as object), 'crypto.subtle.');
  forbid(
    crypto,
    [
      'pbkdf2',
      'scrypt',
      'hkdf',
      'generateKey',
      'generateKeyPair',
      'generatePrime',
      'checkPrime',
      'randomFill',
    ],
    'crypto.',
  );
  permit(crypto, ['pbkdf2Sync', 'scryptSync', 'hkdfSync', 'checkPrimeSync']);
  const { sign, verify, diffieHellman } = crypto;
  for (const [name, real] of Object.entries({ sign, verify, diffieHellman })) {
    const arity = name === 'verify' ? 4 : name === 'sign' ? 3 : 1;
    const guarded = (...args: never[]): unknown => {
      if (kernel.running && typeof args[arity] === 'function') throw complain(`crypto.${name}(callback)`);
      synchronous++;
      try {
        return (real as Anything)(...args);
      } finally {
        synchronous--;
      }
    };
    Object.defineProperty(crypto, name, { value: guarded, writable: true, configurable: true });
  }
  const zlibNames = functionsOf(zlib).filter((name) => name !== 'crc32');
  forbid(
    zlib,
    zlibNames.filter((name) => !isSync(name)),
    'zlib.',
  );
  permit(zlib, zlibNames.filter(isSync));
  Object.assign(
    zlib,
    inlineZlib((work) => {
      synchronous++;
      try {
        return work();
      } finally {
        synchronous--;
      }
    }),
  );
  const plain = new Set(['Stats', 'Dirent', 'Dir', '_toUnixTimestamp', 'existsSync']);
  const fsNames = functionsOf(fs).filter((name) => !plain.has(name));
  forbid(
    fs,
    fsNames.filter((name) => !isSync(name)),
    'fs.',
  );
  forbid(fs.promises, functionsOf(fs.promises), 'fs.promises.');
  forbid(workerThreads, ['Worker'], 'worker_threads.');
  forbid(
    childProcess,
    functionsOf(childProcess).filter((name) => /^[a-z]/.test(name)),
    'child_process.',
  );
  forbid(net, ['connect', 'createConnection', 'createServer'], 'net.');
  forbid(net.Socket.prototype, ['connect'], 'net.Socket.');
  forbid(tls, ['connect', 'createServer'], 'tls.');
  forbid(dgram, ['createSocket'], 'dgram.');
  forbid(
    dns,
    functionsOf(dns).filter((name) => /^(lookup|resolve|reverse)/.test(name)),
    'dns.',
  );
  forbid(
    dns.promises,
    functionsOf(dns.promises).filter((name) => /^(lookup|resolve|reverse)/.test(name)),
    'dns.',
  );
  forbid(http, ['request', 'get', 'createServer'], 'http.');
  forbid(https, ['request', 'get', 'createServer'], 'https.');
  forbid(globalThis, ['fetch'], '');
  syncBuiltinESMExports();

  createHook({
    init(_id, type) {
      if (!kernel.running || synchronous > 0 || allowed.has(type)) return;
      if (type === 'Immediate' && kernel.enteringDrain) return;
      complain(`an asynchronous ${type}`);
    },
    trackPromises: false,
  }).enable();
  const failed = (error: unknown): void => {
    // Between runs it is the runner's own: the process ends by it.
    if (!kernel.running) throw error;
    kernel.fail(
      new Error(`an error of ${describeOwner(kernel.current)} at ${kernel.now} us that nobody handled`, {
        cause: error,
      }),
    );
  };
  process.on('uncaughtException', failed);
  process.on('unhandledRejection', failed);
}
