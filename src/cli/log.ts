/** The log on standard error: facts as pino lines with `--json`, as plain lines for people. */
import { pino, type Logger } from 'pino';
import type { Config } from '../config.ts';
import type { FactEmitter, FactName, Facts } from '../core/facts.ts';
import { misconductWords } from './misconduct-words.ts';

type Level = 'trace' | 'debug' | 'info' | 'warn';

interface Telling<F> {
  readonly level: Level | ((fact: F) => Level);
  tell(fact: F): string;
}

/** At which level each fact is told, and how; facts left out are told at `debug`. */
const tellings: { [K in FactName]?: Telling<Facts[K]> } = {
  // One for each piece of a body: what was asked for is told by `served:request`.
  'served:bytes': { level: 'trace', tell: (fact) => `sent ${fact.bytes} bytes from ${fact.source}` },
  'blob:fetched': {
    level: 'debug',
    tell: (fact) =>
      `fetched ${fact.digest.slice(0, 12)}: ${fact.bytes.peer} bytes from peers, ${fact.bytes.upstream} from the upstream`,
  },
  'blob:corrupt': {
    level: 'warn',
    tell: (fact) => `${fact.digest} no longer fits its hash and was taken out of service`,
  },
  'integrity:mismatch': {
    level: 'warn',
    tell: (fact) => `${fact.source} gave wrong bytes for ${fact.digest}`,
  },
  'upstream:changed': {
    level: (fact) => (fact.state === 'ok' ? 'info' : 'warn'),
    tell: (fact) =>
      fact.state === 'ok'
        ? 'the upstream answers'
        : `the upstream does not answer: ${fact.error ?? 'no reason given'}`,
  },
  'peer:connected': { level: 'info', tell: (fact) => `peer ${fact.peerId} connected from ${fact.address}` },
  'peer:disconnected': { level: 'info', tell: (fact) => `peer ${fact.peerId} left` },
  'peer:banned': { level: 'warn', tell: (fact) => `peer ${fact.peerId} is banned: ${fact.reason}` },
  'publisher:signed': {
    level: 'info',
    tell: ({ origin, size, names, changed, stale }) =>
      `${origin} signed record ${size - 1}: ${names} projects, ${changed} changed, ${stale} not up to date`,
  },
  'publisher:noted': { level: 'warn', tell: (fact) => fact.message },
  'publisher:stopped': { level: 'warn', tell: (fact) => `${fact.origin} signs no more: ${fact.message}` },
  'index:aged': {
    level: 'warn',
    tell: (fact) =>
      `pages of the signed index are served that nobody vouched for within ${Math.floor(fact.ageSeconds / 60)} minutes`,
  },
  'index:alarmed': { level: 'warn', tell: (fact) => fact.message },
  'policy:changed': {
    level: 'info',
    tell: ({ source, threshold, publishers }) =>
      `the policy ${source} has changed: ${threshold} of ${publishers} publishers must agree; what is believed is worked out anew`,
  },
  'policy:refused': { level: 'warn', tell: (fact) => fact.message },
  'misconduct:proven': {
    level: 'warn',
    tell: ({ origin, kind, digest }) =>
      `${origin} counts no more: ${misconductWords[kind] ?? kind} (proof ${digest}; see fondue index status)`,
  },
  'storage:full': { level: 'warn', tell: (fact) => fact.message },
  'storage:repaired': { level: 'warn', tell: (fact) => fact.message },
  'program:failed': { level: 'warn', tell: (fact) => `a bug, please report it: ${fact.message}` },
  'network:noted': { level: 'info', tell: (fact) => fact.message },
};

export interface FactLog {
  listen(facts: FactEmitter): void;
  warn(message: string): void;
  info(message: string): void;
}

export function logFacts(level: Config['logLevel'], json: boolean, stream: NodeJS.WriteStream): FactLog {
  const logger = json ? pino({ level }, stream) : plainLogger(level, stream);
  return {
    listen(facts) {
      const fullness = createFullness();
      facts.on('blob:added', () => fullness.over());
      facts.onAny((name, fact) => {
        const telling = tellings[name] as Telling<unknown> | undefined;
        const known = name === 'storage:full' && fullness.isKnown((fact as Facts['storage:full']).message);
        const level = typeof telling?.level === 'function' ? telling.level(fact) : telling?.level;
        logger[known ? 'debug' : (level ?? 'debug')](
          { fact: name, facts: fact },
          telling?.tell(fact) ?? name,
        );
      });
    },
    warn: (message) => logger.warn(message),
    info: (message) => logger.info(message),
  };
}

/** pino with a destination that writes `HH:MM:SS level message`. */
function plainLogger(level: Config['logLevel'], stream: NodeJS.WriteStream): Logger {
  const write = (text: string): void => {
    const line = JSON.parse(text) as { time: number; level: number; msg: string };
    const time = new Date(line.time).toISOString().slice(11, 19);
    const word = line.level >= 40 ? 'warning: ' : '';
    stream.write(`${time} ${word}${line.msg}\n`);
  };
  return pino({ level, base: null }, { write });
}

const FULL_AGAIN = 3_600_000;

/** A full disk is told of with each page and file that finds it full: a warning once for each kind of thing, then once an hour. */
function createFullness(): { isKnown(message: string): boolean; over(): void } {
  const told = new Map<string, number>();
  return {
    isKnown(message) {
      // "the page of flask could not be kept", "no room for 1000 bytes of ...": their beginning is the kind.
      const kind = message.split(' ', 2).join(' ');
      const now = Date.now();
      if (now - (told.get(kind) ?? -Infinity) < FULL_AGAIN) return true;
      told.set(kind, now);
      return false;
    },
    over: () => told.clear(),
  };
}
