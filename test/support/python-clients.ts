/**
 * The real clients, pip 26.3, pip 23.2.1, uv, Poetry and PDM, installed from the fixtures' wheels into virtual
 * environments that all test files share, and projects in which they run with empty caches.
 */
import { execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fixturePath, fixturesMissing } from './fixtures.ts';

export const clientNames = ['pip', 'pip23', 'uv', 'poetry', 'pdm'] as const;
export type ClientName = (typeof clientNames)[number];

/** `false`, or why tests with real clients are skipped. */
export function clientsMissing(): string | false {
  const missing = fixturesMissing();
  if (missing !== false) return missing;
  try {
    execFileSync('python3', ['-c', 'import venv, ensurepip, sys; assert sys.version_info[:2] == (3, 11)'], {
      stdio: 'ignore',
    });
    return false;
  } catch {
    return 'the clients in the fixtures need python3 3.11 with venv';
  }
}

let prepared: Promise<string> | undefined;

/** Folder with `new/bin/{pip,uv,poetry,pdm}` and `old/bin/pip`; made once a machine. */
async function clientFolder(): Promise<string> {
  prepared ??= prepare();
  return prepared;
}

async function prepare(): Promise<string> {
  const names = readdirSync(fixturePath('files')).join('\n');
  const folder = join(
    tmpdir(),
    `fondue-clients-${createHash('sha256').update(names).digest('hex').slice(0, 12)}`,
  );
  const ready = join(folder, 'ready');
  const lock = `${folder}.lock`;
  while (!existsSync(ready)) {
    try {
      mkdirSync(lock);
    } catch {
      // Another test file is making them.
      await delay(200);
      continue;
    }
    try {
      if (existsSync(ready)) break;
      rmSync(folder, { recursive: true, force: true });
      const offline = ['install', '-q', '--no-index', '--find-links', fixturePath('files')];
      for (const [name, wanted] of [
        ['new', ['pip>=26', 'uv', 'poetry', 'pdm[locked]']],
        ['old', ['pip==23.2.1']],
      ] as const) {
        execFileSync('python3', ['-m', 'venv', join(folder, name)]);
        execFileSync(join(folder, name, 'bin/python'), ['-m', 'pip', ...offline, ...wanted], {
          stdio: 'ignore',
        });
      }
      writeFileSync(ready, '');
    } finally {
      rmSync(lock, { recursive: true, force: true });
    }
  }
  return folder;
}

/** Where a client is, for who runs it by other means than a project. */
export async function clientProgram(client: ClientName): Promise<string> {
  const folder = await clientFolder();
  return client === 'pip23' ? join(folder, 'old/bin/pip') : join(folder, 'new/bin', client);
}

export interface Run {
  readonly exit: number;
  readonly output: string;
  readonly seconds: number;
}

/** A project folder with its own home and caches. */
export interface ClientProject extends AsyncDisposable {
  readonly folder: string;
  /** Runs one of the clients (or `python` of the project's environment). */
  run(client: ClientName | 'python', ...args: string[]): Promise<Run>;
  /** Fresh environment and caches; the lock files stay. */
  forget(): Promise<void>;
  /** Locks (where the client has locks) and installs `requirement` from `index`; the last run, or the first that failed. */
  install(client: ClientName, index: string, requirement?: string): Promise<Run>;
}

export async function createClientProject(extraEnv: Record<string, string> = {}): Promise<ClientProject> {
  const clients = await clientFolder();
  const folder = await mkdtemp(join(tmpdir(), 'fondue-project-'));
  const programs: Record<ClientName | 'python', string> = {
    pip: join(clients, 'new/bin/pip'),
    pip23: join(clients, 'old/bin/pip'),
    uv: join(clients, 'new/bin/uv'),
    poetry: join(clients, 'new/bin/poetry'),
    pdm: join(clients, 'new/bin/pdm'),
    python: join(folder, '.venv/bin/python'),
  };
  const env = {
    PATH: `${join(clients, 'new/bin')}:${process.env['PATH'] ?? ''}`,
    HOME: join(folder, 'home'),
    TMPDIR: join(folder, 'tmp'),
    LANG: 'C.UTF-8',
    NO_COLOR: '1',
    PIP_CONFIG_FILE: '/dev/null',
    PIP_DISABLE_PIP_VERSION_CHECK: '1',
    UV_PYTHON_DOWNLOADS: 'never',
    UV_CACHE_DIR: join(folder, 'cache/uv'),
    PDM_CHECK_UPDATE: '0',
    PDM_CACHE_DIR: join(folder, 'cache/pdm'),
    POETRY_CACHE_DIR: join(folder, 'cache/poetry'),
    POETRY_VIRTUALENVS_IN_PROJECT: '1',
    POETRY_KEYRING_ENABLED: '0',
    PYTHON_KEYRING_BACKEND: 'keyring.backends.null.Keyring',
    ...extraEnv,
  };
  const execute = (file: string, args: readonly string[]): Promise<Run> =>
    runProgram(file, args, folder, env);
  const venv = async (): Promise<void> => {
    const made = await execute('python3', ['-m', 'venv', '--without-pip', '.venv']);
    if (made.exit !== 0) throw new Error(made.output);
  };
  const project: ClientProject = {
    folder,
    run: (client, ...args) => execute(programs[client], args),
    async forget() {
      for (const name of ['.venv', 'cache', 'home', 'tmp'])
        await rm(join(folder, name), { recursive: true, force: true });
      for (const name of ['home', 'tmp']) mkdirSync(join(folder, name));
      await venv();
    },
    async install(client, index, requirement = 'flask') {
      const python = programs.python;
      if (client === 'pip' || client === 'pip23') {
        return project.run(client, '--python', python, 'install', '--no-cache-dir', '-i', index, requirement);
      }
      await writeFile(join(folder, 'pyproject.toml'), pyproject(client, index, requirement));
      const steps: Record<'uv' | 'poetry' | 'pdm', string[][]> = {
        uv: [['lock'], ['sync']],
        poetry: [['lock'], ['install']],
        pdm: [['lock'], ['install', '--no-self']],
      };
      let last: Run = { exit: 1, output: 'nothing was run', seconds: 0 };
      for (const step of steps[client]) {
        last = await project.run(client, ...step);
        if (last.exit !== 0) break;
      }
      return last;
    },
    async [Symbol.asyncDispose]() {
      await rm(folder, { recursive: true, force: true });
    },
  };
  await project.forget();
  return project;
}

function pyproject(client: 'uv' | 'poetry' | 'pdm', index: string, requirement: string): string {
  const head = `[project]\nname = "demo"\nversion = "0.1.0"\nrequires-python = ">=3.11"\ndependencies = ["${requirement}"]\n`;
  if (client === 'uv') return `${head}[[tool.uv.index]]\nurl = "${index}"\ndefault = true\n`;
  if (client === 'poetry') {
    return `${head}[tool.poetry]\npackage-mode = false\n[[tool.poetry.source]]\nname = "gateway"\nurl = "${index}"\npriority = "primary"\n`;
  }
  return `${head}[tool.pdm]\ndistribution = false\n[[tool.pdm.source]]\nname = "pypi"\nurl = "${index}"\nverify_ssl = true\n`;
}

/** Runs to the end, or kills after three minutes. */
export function runProgram(
  file: string,
  args: readonly string[],
  cwd: string,
  env: Readonly<Record<string, string>>,
): Promise<Run> {
  const start = performance.now();
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
    const limit = setTimeout(() => child.kill('SIGKILL'), 180_000);
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
    child.on('error', reject);
    child.on('close', (code) => {
      clearTimeout(limit);
      resolve({ exit: code ?? 1, output, seconds: (performance.now() - start) / 1000 });
    });
  });
}
