/**
 * Every `fondue ...` that the documentation shows names a command that exists, flags that it has and as many arguments as it
 * takes. What `--help` prints is the measure, so a flag that goes takes its documentation with it.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { describe, it } from 'node:test';
import { promisify } from 'node:util';

const root = new URL('../../', import.meta.url);
const launcher = new URL('bin/fondue.js', root).pathname;
const pages = ['README.md', ...readdirSync(new URL('docs/', root)).map((name) => `docs/${name}`)];

interface Shown {
  readonly page: string;
  readonly line: string;
  readonly words: readonly string[];
}

/** Where a shell's command ends. */
const END = /^(?:[|&;#<>)]|\d>)/;

/** What is said after `fondue` in code, block or inline, without the shell around it. */
function commandsOf(page: string): Shown[] {
  const text = readFileSync(new URL(page, root), 'utf8');
  const code = [
    ...[...text.matchAll(/^```[^\n]*\n(.*?)^```$/gms)].flatMap(([, block = '']) => block.split('\n')),
    // Inline code may go on in the next line.
    ...[...text.replaceAll(/^```[^\n]*\n.*?^```$/gms, '').matchAll(/`([^`]+)`/g)].map(([, inline = '']) =>
      inline.replaceAll(/\s*\n\s*/g, ' '),
    ),
  ];
  return code.flatMap((line) =>
    [...line.matchAll(/(?:^|[\s(="/])fondue (.+?)$/g)].flatMap(([, rest = '']) => {
      const all = [...rest.matchAll(/"[^"]*"|\S+/g)].map(([word]) => word);
      const end = all.findIndex((word) => END.test(word));
      const words = all.slice(0, end < 0 ? undefined : end).map((word) => word.replace(/[);,"]+$/, ''));
      // `poetry source add fondue URL`
      return /^(?:[a-z-]+|--[a-z-]+)$/.test(words[0] ?? '') ? [{ page, line, words }] : [];
    }),
  );
}

interface Help {
  /** Flag to whether a value follows. */
  readonly flags: ReadonlyMap<string, boolean>;
  readonly commands: readonly string[];
  /** Least and most arguments. */
  readonly args: readonly [number, number];
}

const helps = new Map<string, Promise<Help>>();

function helpOf(command: readonly string[]): Promise<Help> {
  const key = command.join(' ');
  const known = helps.get(key) ?? readHelp(command);
  helps.set(key, known);
  return known;
}

async function readHelp(command: readonly string[]): Promise<Help> {
  const args = [launcher, ...command, '--help'];
  const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: 30_000 });
  const [usage = ''] = stdout.split('\n\n');
  const [, listed = ''] = /^Commands:\n(.*?)(?:^$|$(?![\s\S]))/ms.exec(stdout) ?? [];
  const required = usage.match(/<[^>]+>/g) ?? [];
  const optional = usage.replace(/\[(?:options|command)\]/g, '').match(/\[[^\]]+\]/g) ?? [];
  const isList = /\.\.\.[>\]]/.test(usage);
  return {
    flags: new Map(
      [...stdout.matchAll(/^ {2}(?:-\w, )?(--[a-z-]+)( <[^>]+>)?/gm)].map(([, flag = '', value]) => [
        flag,
        value !== undefined,
      ]),
    ),
    commands: [...listed.matchAll(/^ {2}([a-z][a-z-]+)/gm)].map(([, name = '']) => name),
    args: [required.length, isList ? Infinity : required.length + optional.length],
  };
}

/** What is wrong with it; undefined: nothing. */
async function faultOf(words: readonly string[]): Promise<string | undefined> {
  const command: string[] = [];
  let help = await helpOf(command);
  let rest = words;
  while (help.commands.includes(rest[0] ?? '')) {
    command.push(rest[0] as string);
    rest = rest.slice(1);
    help = await helpOf(command);
  }
  const name = ['fondue', ...command].join(' ');
  let args = 0;
  for (let i = 0; i < rest.length; i++) {
    const word = rest[i] as string;
    if (word === '--') {
      args += rest.length - i - 1;
      break;
    }
    if (!word.startsWith('--')) args++;
    else {
      const [flag = '', value] = word.split('=');
      const takesValue = help.flags.get(flag);
      if (takesValue === undefined) return `${name} has no flag ${flag}`;
      if (takesValue && value === undefined) i++;
    }
  }
  // A group, or a command that is only named.
  if (rest.length === 0) return command.length === 0 ? 'there is no command' : undefined;
  if (help.commands.length > 0 && args > 0) return `${name} has no command ${rest[0]}`;
  if (args > 0 && (args < help.args[0] || args > help.args[1]))
    return `${name} takes ${help.args.join(' to ')} arguments, not ${args}`;
  return undefined;
}

describe('commands in the documentation', () => {
  for (const page of pages)
    it(`of ${page} exist, with their flags`, async () => {
      const shown = commandsOf(page);
      const faults = await Promise.all(
        shown.map(async ({ words, line }) => {
          const fault = await faultOf(words);
          return fault === undefined ? [] : [`${line.trim()}: ${fault}`];
        }),
      );
      assert.deepEqual(faults.flat(), []);
    });

  it('are found where they are shown', () => {
    const [trust, publishing] = [commandsOf('docs/trust.md'), commandsOf('docs/publishing.md')];
    assert.ok(trust.length >= 12, `${trust.length} commands`);
    assert.ok(publishing.length >= 10, `${publishing.length} commands`);
    const of = (shown: readonly Shown[], ...words: string[]): boolean =>
      shown.some((one) => words.every((word) => one.words.includes(word)));
    assert.ok(of(trust, 'index', 'verify', '--policy'));
    assert.ok(of(publishing, 'publish', '--key', '--quota'), 'the service');
    assert.ok(of(publishing, 'key', 'new', '--out'), 'behind sudo');
  });

  it('that do not exist would be seen', async () => {
    for (const wrong of [
      'publish --keys publisher.key',
      'trust forgive example.org',
      'index show flask django',
      'trust threshold 2 3',
      'frobnicate',
    ])
      assert.notEqual(await faultOf(wrong.split(' ')), undefined, wrong);
    for (const right of ['trust', 'run --data-dir .fondue -- pip install flask', 'index show', 'warm a b'])
      assert.equal(await faultOf(right.split(' ')), undefined, right);
  });
});
