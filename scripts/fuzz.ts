/**
 * Feeds every reader of strangers' bytes about the signed index with altered messages: at least a million, in about ten minutes.
 * Exit code 1 when one crashes, hangs, takes memory, or believes what was altered; the line to replay it is printed.
 *
 *     node scripts/fuzz.ts [--cases N] [--seed S] [--only a,b] [--seconds N]
 *     node scripts/fuzz.ts --replay TARGET:BASE64[:BASE64 of the valid messages]
 */
import { parseArgs } from 'node:util';
import { checkAltered, checkValid, FuzzFailure, type Target } from './fuzz-case.ts';
import { runFuzz } from './fuzz-run.ts';
import { targets } from './fuzz-targets.ts';

const { values } = parseArgs({
  options: {
    cases: { type: 'string', default: '1000000' },
    seed: { type: 'string' },
    only: { type: 'string' },
    seconds: { type: 'string' },
    replay: { type: 'string' },
  },
});

process.exitCode = values.replay === undefined ? await fuzz() : await replay(values.replay);

async function fuzz(): Promise<number> {
  const names = values.only?.split(',') ?? targets.map(({ name }) => name);
  for (const name of names) targetOf(name);
  const cases = count('--cases', values.cases);
  const seed = values.seed === undefined ? Math.floor(Math.random() * 2 ** 31) : count('--seed', values.seed);
  console.log(`${names.length} targets, ${cases} cases, seed ${seed}`);
  const bar = process.stderr.isTTY;
  let said = 0;
  const { counts, failures } = await runFuzz({
    module: new URL('fuzz-targets.ts', import.meta.url),
    targets: names,
    cases,
    seed,
    milliseconds: values.seconds === undefined ? 2 ** 31 : 2 * 1000 * count('--seconds', values.seconds),
    threads: 2,
    hang: 20_000,
    heapMegabytes: 512,
    onProgress: (done, target) => {
      const tenths = Math.min(10, Math.floor((10 * done) / cases));
      const line = `${String(done).padStart(9)} of ${cases}  next: ${target}`;
      if (bar) process.stderr.write(`\r[${'#'.repeat(tenths).padEnd(10)}] ${line.padEnd(60)}`);
      else if (tenths > said) console.log(line);
      said = tenths;
    },
  });
  if (bar) process.stderr.write('\n');
  let all = 0;
  console.log('target           cases  unaltered  other valid  CPU s  refused');
  for (const [name, { cases, unaltered, other, refused, seconds }] of counts) {
    all += cases;
    const codes = Object.entries(refused).sort(([, a], [, b]) => b - a);
    const cells = [
      name.padEnd(15),
      String(cases).padStart(7),
      String(unaltered).padStart(10),
      String(other).padStart(12),
      seconds.toFixed(0).padStart(6),
      codes.map(([code, number]) => `${code} ${number}`).join(', '),
    ];
    console.log(cells.join(' '));
  }
  console.log(`${all} cases, ${failures.length} failures`);
  for (const { target, what, seed, path, inputs } of failures) {
    console.error(`\nFAILED ${target}: ${what}\n  seed ${seed}${path === undefined ? '' : `, path ${path}`}`);
    const parts = inputs.map((bytes) => Buffer.from(bytes).toString('base64'));
    if (parts.length > 0) console.error(`  node scripts/fuzz.ts --replay ${[target, ...parts].join(':')}`);
  }
  return failures.length === 0 ? 0 : 1;
}

async function replay(text: string): Promise<number> {
  const [name = '', ...parts] = text.split(':');
  const [bytes = Buffer.alloc(0), ...originals] = parts.map((part) => Buffer.from(part, 'base64'));
  const target = targetOf(name);
  try {
    const claims: string[] = [];
    for (const original of originals) claims.push(...(await checkValid(target, original)));
    const outcome = await checkAltered(target, bytes, originals, claims);
    console.log(outcome.kind === 'refused' ? `refused with ${outcome.code}` : 'accepted, and rightly so');
    return 0;
  } catch (error) {
    if (!(error instanceof FuzzFailure)) throw error;
    console.error(`FAILED ${name}: ${error.message}`, error.cause ?? '');
    return 1;
  }
}

function targetOf(name: string): Target {
  const target = targets.find((one) => one.name === name);
  if (target !== undefined) return target;
  console.error(`there is no target ${name}; there are ${targets.map((one) => one.name).join(', ')}`);
  process.exit(2);
}

function count(flag: string, text: string): number {
  const number = Number(text);
  if (Number.isSafeInteger(number) && number >= 0) return number;
  console.error(`${flag} takes a whole number, not "${text}"`);
  process.exit(2);
}
