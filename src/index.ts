/** The library: `import { configure, createNode } from 'fondue-mirror'`. See docs/library.md. */
import { homedir } from 'node:os';
import { loadConfig, type Config } from './config.ts';
import type { SettingName } from './config-settings.ts';

export { createNode, type FondueNode, type NodeOverrides } from './node.ts';
export type { Config };

/**
 * A configuration from settings named and written as on the command line (`{ 'data-dir': '/srv/fondue', quota: '50GB' }`);
 * neither the environment nor a file is read.
 * @throws ConfigurationError that names the setting, its value and what is expected
 */
export function configure(settings: Readonly<Partial<Record<SettingName, unknown>>>): Config {
  return loadConfig({
    flags: settings,
    env: {},
    readFile: (path) => {
      throw Object.assign(new Error(`${path} is not read`), { code: 'ENOENT' });
    },
    home: homedir(),
    platform: process.platform,
  });
}
