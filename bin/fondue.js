#!/usr/bin/env node
// The launcher: plain JavaScript for any Node. Checks the version, sets V8's flags, then imports the program.
// --max-semi-space-size=1 keeps an idle node at about two thirds of the memory (see docs/operating.md, "Memory").
import { existsSync } from 'node:fs';
import * as nodeModule from 'node:module';

const WANTED = 24;
const FLAG = '--max-semi-space-size=1';

if (Number(process.versions.node.split('.')[0]) < WANTED) {
  console.error(
    `fondue needs Node ${WANTED} or newer, and this is ${process.version}: install it from https://nodejs.org (from a clone: "npm ci", then "npm start")`,
  );
  process.exit(1);
}

const flagged = process.execArgv.some((argument) => argument.startsWith('--max-semi-space-size'));
if (!flagged && process.platform !== 'win32' && typeof process.execve === 'function') {
  process.execve(
    process.execPath,
    [
      process.execPath,
      FLAG,
      '--disable-warning=ExperimentalWarning',
      ...process.execArgv,
      ...process.argv.slice(1),
    ],
    process.env,
  );
}

// Halves the start: compiled code is kept in the system's temporary folder.
nodeModule.enableCompileCache?.();

const built = new URL('../dist/cli/main.js', import.meta.url);
const source = new URL('../src/cli/main.ts', import.meta.url);
const { main } = await import((existsSync(source) ? source : built).href);
await main(process.argv.slice(2));
