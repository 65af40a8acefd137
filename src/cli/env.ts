/** `fondue env` and `fondue run`: pip's, uv's and PDM's variables for the gateway. */
import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import type { Command } from 'commander';
import { ConfigurationError } from '../core/errors.ts';
import { urlHost } from '../core/url-host.ts';
import { addConfigOptions, configFromOptions } from './config-options.ts';
import { readNodeFile } from '../node-file.ts';
import { printJson, printLine, printNote } from './output.ts';

/** What clients read. Poetry has no variable for its index: `poetry source add --priority=primary fondue URL`. */
function clientVariables(gateway: string): Record<string, string> {
  const index = `${gateway}/simple/`;
  return { PIP_INDEX_URL: index, UV_DEFAULT_INDEX: index, PDM_PYPI_URL: index, ...pastProxies(gateway) };
}

/** Where a proxy is set, clients would ask it for the gateway's address too, which only this machine knows. */
function pastProxies(gateway: string): Record<string, string> {
  const { env } = process;
  if (!['HTTP_PROXY', 'http_proxy', 'ALL_PROXY', 'all_proxy'].some((name) => env[name])) return {};
  const known = (env['no_proxy'] || env['NO_PROXY'] || '').split(',').map((host) => host.trim());
  const hosts = new Set([
    ...known.filter((host) => host !== ''),
    new URL(gateway).hostname.replaceAll(/[[\]]/g, ''),
  ]);
  const value = hosts.has('*') ? '*' : [...hosts].join(',');
  // requests reads the first, reqwest (uv) the second.
  return { no_proxy: value, NO_PROXY: value };
}

const shells = {
  sh: (name: string, value: string) => `export ${name}='${value}'`,
  fish: (name: string, value: string) => `set -gx ${name} '${value}'`,
  powershell: (name: string, value: string) => `$Env:${name} = '${value}'`,
  cmd: (name: string, value: string) => `set ${name}=${value}`,
} as const;

async function gatewayUrl(
  options: Readonly<Record<string, unknown>>,
  own: readonly string[],
): Promise<string> {
  const config = configFromOptions(options, own);
  const { host, port } = config.gateway;
  const url = `http://${urlHost(host)}:${port}`;
  // Who names a gateway means that one, whatever runs here.
  if (options['gateway'] !== undefined) return url;
  const running = await readNodeFile(config.dataDir);
  if (running !== undefined) return running.gateway;
  // On standard error: `eval "$(fondue env)"` reads the other.
  printNote(`fondue: no node runs on ${config.dataDir}; taking ${url}. "fondue up" starts one`);
  return url;
}

export function addEnvCommands(program: Command): void {
  const env = program
    .command('env')
    .description("prints the lines that point pip, uv and PDM to this node's gateway")
    .option('--shell <NAME>', Object.keys(shells).join(', '), 'sh')
    .addHelpText('after', '\nExample:\n  eval "$(fondue env)"');
  addConfigOptions(env, ['data-dir', 'gateway']).action(async (options: Record<string, unknown>) => {
    const shell = String(options['shell']);
    if (!Object.hasOwn(shells, shell)) {
      throw new ConfigurationError(
        'usage',
        `--shell: "${shell}" is not known`,
        `give one of ${Object.keys(shells).join(', ')}`,
      );
    }
    const variables = clientVariables(await gatewayUrl(options, ['shell']));
    if (options['json'] === true) return printJson(variables);
    for (const [name, value] of Object.entries(variables))
      printLine(shells[shell as keyof typeof shells](name, value));
  });

  const run = program
    .command('run')
    .description("runs a command with pip's, uv's and PDM's variables set")
    .argument('<command...>')
    .passThroughOptions()
    .addHelpText('after', '\nExample:\n  fondue run -- pip install flask');
  addConfigOptions(run, ['data-dir', 'gateway']).action(
    async (command: string[], options: Record<string, unknown>) => {
      process.exitCode = await runChild(command, clientVariables(await gatewayUrl(options, [])));
    },
  );
}

async function runChild(
  [file = '', ...args]: readonly string[],
  variables: Record<string, string>,
): Promise<number> {
  const child = spawn(file, args, { stdio: 'inherit', env: { ...process.env, ...variables } });
  // The terminal sends Ctrl-C to the child as well: it decides, we report its code.
  const ignore = (): void => undefined;
  process.on('SIGINT', ignore);
  const forward = (signal: NodeJS.Signals): void => void child.kill(signal);
  process.on('SIGTERM', forward);
  try {
    return await new Promise<number>((resolve, reject) => {
      child.on('error', (error) =>
        reject(
          new ConfigurationError(
            'environment',
            (error as NodeJS.ErrnoException).code === 'ENOENT'
              ? `there is no program ${file}`
              : `${file} cannot be run: ${error.message}`,
            'check the command',
            {
              cause: error,
            },
          ),
        ),
      );
      child.on('exit', (code, signal) =>
        resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal])),
      );
    });
  } finally {
    process.off('SIGINT', ignore);
    process.off('SIGTERM', forward);
  }
}
