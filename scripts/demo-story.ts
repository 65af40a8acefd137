/** What both acts of the demo need: lines with the time, and somebody who installs. */
import { execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { FakeFile } from '../test/support/fake-pypi/wheel.ts';

const started = performance.now();
export const say = (text: string): void =>
  console.log(`${((performance.now() - started) / 1000).toFixed(1).padStart(5)} s  ${text}`);

/** Of a claim, so that what does not hold is seen. */
export function claim(holds: boolean, text: string): boolean {
  say(`  ${holds ? '' : 'NOT SO: '}${text}`);
  return holds;
}

export interface Installer {
  readonly name: string;
  /** Installs the first wheel's project with all that it needs; false, and said, when that failed. */
  install(index: string, target: string): Promise<boolean>;
}

/** pip where there is python3 with venv; else a plain client that reads the pages and checks the files of `wheels`. */
export function createInstaller(folder: string, wheels: readonly FakeFile[]): Installer {
  try {
    execFileSync('python3', ['-c', 'import venv, ensurepip'], { stdio: 'ignore' });
  } catch {
    say('no python3 with venv here (Debian: apt install python3-venv): a plain client stands in for pip');
    return { name: 'a plain client', install: (index) => download(index, wheels) };
  }
  execFileSync('python3', ['-m', 'venv', join(folder, 'venv')]);
  const project = wheels[0]?.project ?? '';
  return { name: 'pip', install: (index, target) => pip(folder, index, join(folder, target), project) };
}

async function pip(folder: string, index: string, target: string, project: string): Promise<boolean> {
  const code = await new Promise<number | null>((resolve) => {
    const child = spawn(
      join(folder, 'venv/bin/python'),
      // prettier-ignore
      ['-m', 'pip', 'install', '-q', '--no-cache-dir', '--disable-pip-version-check', '--target', target, '-i', index, project],
      {
        stdio: ['ignore', 'inherit', 'inherit'],
        env: { PATH: process.env['PATH'] ?? '', PIP_CONFIG_FILE: '/dev/null' },
      },
    );
    child.on('close', resolve);
  });
  const found = existsSync(target)
    ? (await readdir(target)).filter((entry) => !entry.endsWith('.dist-info'))
    : [];
  say(code === 0 ? `  pip installed ${found.toSorted().join(', ')}` : `  pip failed with exit code ${code}`);
  return code === 0;
}

async function download(index: string, wheels: readonly FakeFile[]): Promise<boolean> {
  for (const { project, filename, sha256 } of wheels) {
    const page = await fetch(`${index}${project}/`, {
      headers: { accept: 'application/vnd.pypi.simple.v1+json' },
    });
    const { files = [] } = page.ok
      ? ((await page.json()) as { files?: { filename: string; url: string }[] })
      : {};
    const url = files.find((file) => file.filename === filename)?.url;
    const file = url === undefined ? undefined : await fetch(new URL(url, page.url));
    const bytes = file?.ok === true ? Buffer.from(await file.arrayBuffer()) : undefined;
    if (bytes === undefined || createHash('sha256').update(bytes).digest('hex') !== sha256) {
      say(`  ${filename} could not be had: the page was answered with ${page.status}`);
      return false;
    }
  }
  say(`  the plain client has ${wheels.map(({ project }) => project).join(', ')}, each with its hash`);
  return true;
}
