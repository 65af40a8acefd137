// Builds `dist/`, what is published and what the launcher runs: JavaScript and types by tsc, and the files that are read as
// they are. Plain JavaScript for any Node: `npm ci` calls it (prepare), also where the devDependencies were left out.
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const tsc = `${root}node_modules/.bin/tsc`;
if (!existsSync(tsc) && process.env.npm_lifecycle_event === 'prepare') process.exit(0);
rmSync(`${root}dist`, { recursive: true, force: true });
execFileSync(tsc, ['-p', `${root}tsconfig.build.json`], {
  stdio: 'inherit',
  shell: process.platform === 'win32',
});
cpSync(`${root}src/dashboard/page.html`, `${root}dist/dashboard/page.html`);
const scenarios = `${root}src/simulator/scenarios`;
for (const file of readdirSync(scenarios).filter((name) => name.endsWith('.yaml')))
  cpSync(`${scenarios}/${file}`, `${root}dist/simulator/scenarios/${file}`);
writeFileSync(`${root}dist/built`, '');
