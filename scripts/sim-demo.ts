/**
 * `npm run sim:demo [DIR]`: thirty nodes, a cut through the middle and the heal, from nothing to a report with plots. Into DIR,
 * else a new folder among the system's temporary ones.
 */
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { main } from '../src/cli/main.ts';

const began = performance.now();
const out = process.argv[2] ?? join(mkdtempSync(join(tmpdir(), 'fondue-sim-demo-')), 'demo');
await main(['sim', 'run', 'demo', '--seed', '1', '--out', out]);
console.log(`${((performance.now() - began) / 1000).toFixed(0)} s; open ${join(out, 'report.html')}`);
