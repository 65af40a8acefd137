/** The settings as flags of a command, and a command's flags as a configuration. */
import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { type Command, Option } from 'commander';
import { loadConfig, type Config } from '../config.ts';
import { settings, type Setting, type SettingName } from '../config-settings.ts';

const collect = (value: string, before: readonly string[] | undefined): readonly string[] => [
  ...(before ?? []),
  value,
];

/** Adds the flags of `names` (all settings if none are given), `--config` and `--json`. */
export function addConfigOptions(command: Command, names = Object.keys(settings) as SettingName[]): Command {
  for (const name of names) {
    const setting: Setting<unknown> = settings[name];
    if (name === 'mdns') {
      command.addOption(
        new Option('--no-mdns', 'do not look for nodes on the local network').default(undefined),
      );
      continue;
    }
    if (name === 'private-upstream') {
      command.addOption(new Option('--private-upstream', setting.help));
      command.addOption(new Option('--no-private-upstream', 'everybody may have what the upstream gives'));
      continue;
    }
    if (setting.argument === undefined) {
      command.addOption(new Option(`--${name}`, setting.help));
      continue;
    }
    const option = new Option(`--${name} <${setting.argument}>`, setting.help);
    if (setting.repeatable === true) option.argParser(collect);
    command.addOption(option);
  }
  if (names.includes('mode'))
    command.option('--offline', 'nothing leaves for the upstream: short for --mode offline');
  command.option('--config <FILE>', 'TOML file with the same names as the flags');
  command.option('--json', 'one JSON object a line on standard output');
  return command;
}

/** Commander's camelCase options back to the settings' names; flags that are not settings are left out. */
export function configFromOptions(
  options: Readonly<Record<string, unknown>>,
  own: readonly string[] = [],
): Config {
  const flags: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(options)) {
    const name = key.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
    if (name !== 'json' && !own.includes(name)) flags[name] = value;
  }
  return loadConfig({
    flags,
    env: process.env,
    readFile: (path) => readFileSync(path, 'utf8'),
    home: homedir(),
    platform: process.platform,
  });
}
