/** Builds `dist/`, what is published: JavaScript and types by tsc, and the files that are read as they are. */
import { execFileSync } from 'node:child_process';
import { cpSync, rmSync } from 'node:fs';

const root = new URL('..', import.meta.url).pathname;
rmSync(`${root}dist`, { recursive: true, force: true });
execFileSync(`${root}node_modules/.bin/tsc`, ['-p', `${root}tsconfig.build.json`], { stdio: 'inherit' });
cpSync(`${root}src/dashboard/page.html`, `${root}dist/dashboard/page.html`);
