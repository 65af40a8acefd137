#!/usr/bin/env node
// The launcher: plain JavaScript for any Node. Checks the version, sets V8's flags, then imports the program.
import { readdirSync, statSync } from 'node:fs';
import * as nodeModule from 'node:module';
import { fileURLToPath } from 'node:url';

const WANTED = 24;
// Small semi-spaces keep an idle node at two thirds of the memory (docs/operating.md, "Memory"). With V8's own growth a
// busy thread then collects its whole heap every 10 MB that it sends: buffers outside the heap count too (half of its CPU).
const FLAGS = [
  '--max-semi-space-size=1',
  '--heap-growing-percent=200',
  // For the collections of a quiet node: src/system-memory.ts.
  '--expose-gc',
  '--disable-warning=ExperimentalWarning',
];

if (Number(process.versions.node.split('.')[0]) < WANTED) {
  console.error(
    `fondue needs Node ${WANTED} or newer, and this is ${process.version}: install it from https://nodejs.org (from a clone: "npm ci", then "npm start")`,
  );
  process.exit(1);
}

const flagged = process.execArgv.some((argument) => argument.startsWith('--max-semi-space-size'));
if (!flagged && process.platform !== 'win32' && typeof process.execve === 'function') {
  const { execPath, execArgv, argv, env } = process;
  process.execve(execPath, [execPath, ...FLAGS, ...execArgv, ...argv.slice(1)], env);
}

/** When the newest file of a folder was written, in ms; 0 where there is none. */
function newest(folder) {
  try {
    const entries = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) =>
      entry.isFile(),
    );
    return Math.max(0, ...entries.map((entry) => statSync(`${entry.parentPath}/${entry.name}`).mtimeMs));
  } catch {
    return 0;
  }
}

// Halves the start: compiled code is kept in the system's temporary folder.
nodeModule.enableCompileCache?.();

// In a clone the sources run as they are once they are newer than what was built (18 MB a thread for reading TypeScript).
const root = fileURLToPath(new URL('..', import.meta.url));
const program = newest(`${root}src`) > newest(`${root}dist`) ? 'src/cli/main.ts' : 'dist/cli/main.js';
const { main } = await import(new URL(`../${program}`, import.meta.url).href);
await main(process.argv.slice(2));
