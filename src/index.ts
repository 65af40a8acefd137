/** The library: `import { configure, createNode } from 'fondue-mirror'`. See docs/library.md. */
import { homedir } from 'node:os';
import { loadConfig, type Config } from './config.ts';
import type { SettingName } from './config-settings.ts';

export { createNode, type FondueNode, type NodeOverrides } from './node.ts';
export type { Config, SettingName };

// What a node is asked with, answers with, and throws.
export { parseDigest, type Digest } from './core/digest.ts';
export { parseProjectName, type ProjectName } from './core/project-name.ts';
export {
  ConfigurationError,
  FondueError,
  IntegrityError,
  InvalidNameError,
  UnavailableError,
} from './core/errors.ts';
export type { FactEmitter, Facts } from './core/facts.ts';
export type { WantedFile } from './core/wanted-file.ts';
export type { Administration, Outcome, Progress } from './mirror/administration.ts';
export type { FileRef, Mirror, OpenedFile, ProjectAnswer } from './mirror/mirror.ts';
export type { NodeStatus } from './mirror/status.ts';

// What may be put in place of the node's own parts.
export type { Clock, Randomness } from './core/clock.ts';
export type { BlobStore } from './store/blob-store.ts';
export type { Catalog } from './store/catalog.ts';
export type { PeerNetwork, Shelf } from './network/peer-network.ts';
export type { Upstream } from './upstream/upstream.ts';
export type { PublishSettings } from './open-publisher.ts';

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
