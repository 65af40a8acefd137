/**
 * Makes the kernel of this process and puts it in the machine's place. Call it before anything else of ours or libp2p's is
 * imported; this module and what it imports touch Node only.
 */
import { forbidOffThread } from './forbid-off-thread.ts';
import { installGlobals } from './install-globals.ts';
import { memoizeSignatures } from './memoize-signatures.ts';
import { Kernel, type KernelOptions } from './kernel.ts';

const { setImmediate } = globalThis;
let started = false;

export function startKernel(options: Omit<KernelOptions, 'setImmediate'>): Kernel {
  if (started) throw new Error('this process has a kernel already');
  started = true;
  const kernel = new Kernel({ ...options, setImmediate: (callback) => void setImmediate(callback) });
  installGlobals(kernel);
  forbidOffThread(kernel);
  memoizeSignatures();
  return kernel;
}
