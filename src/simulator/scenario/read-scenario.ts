/**
 * A scenario file: YAML 1.2 in, a resolved `Scenario` and the points of its sweep out. All problems are reported at once.
 * Always true: `readScenario(renderScenario(s)).scenario` equals s.
 */
import { isMap, isScalar, LineCounter, parseDocument, stringify, visit, type Document } from 'yaml';
import { limits } from '../../core/limits.ts';
import { checkScenario } from './check-scenario.ts';
import { ProblemList } from './problems.ts';
import { asGiven, resolveDefaults } from './resolve-defaults.ts';
import type { Scenario } from './scenario.ts';
import { scenarioShape } from './scenario-shape.ts';
import { failed, Place } from './shape.ts';
import { expandSweep, type SweepAxis } from './sweep.ts';

/** One combination of a sweep's values. */
export interface SweepPoint {
  /** From 0, in the sweep's order. */
  readonly index: number;
  /** What it sets: by JSON Pointer, as written in the file. */
  readonly settings: readonly { readonly pointer: string; readonly value: string }[];
  readonly scenario: Scenario;
}

export interface ScenarioFile {
  /** Without the sweep. */
  readonly scenario: Scenario;
  /** Empty without a sweep. */
  readonly axes: readonly SweepAxis[];
  /** One without a sweep. */
  readonly points: readonly SweepPoint[];
}

/**
 * @param file its name in messages
 * @throws ScenarioError with every problem
 */
export function readScenario(text: string, file: string): ScenarioFile {
  const lines = new LineCounter();
  const problems = new ProblemList(file, lines);
  if (Buffer.byteLength(text) > limits.scenario.fileBytes) {
    problems.add(0, '', 'the file is too large', `keep it below ${limits.scenario.fileBytes} bytes`);
    problems.throwIfAny();
  }
  const document = parseDocument(text, {
    version: '1.2',
    lineCounter: lines,
    prettyErrors: false,
    stringKeys: true,
  });
  noteSyntax(document, problems);
  const sweep = takeSweep(document);
  const scenario = readDocument(document, problems, 1);
  const { axes, points } = expandSweep(sweep, document, problems);
  const read = points.map(({ document, settings }, index) => ({
    index,
    settings,
    scenario: settings.length === 0 ? scenario : readDocument(document(), problems, points.length),
  }));
  problems.throwIfAny();
  return { scenario: scenario as Scenario, axes, points: read as SweepPoint[] };
}

/** YAML that says everything, defaults too. */
export function renderScenario(scenario: Scenario): string {
  return stringify(scenarioShape.write(asGiven(scenario)), { lineWidth: 110, version: '1.2' });
}

/** `points`: how many share the effort of trying placements. */
function readDocument(document: Document, problems: ProblemList, points: number): Scenario | undefined {
  const root = new Place(problems, document.contents, 0, '');
  const given = scenarioShape.read(root);
  if (given === failed) return undefined;
  const scenario = resolveDefaults(given);
  checkScenario(
    scenario,
    (pointer, message, fix) => {
      problems.add(offsetOf(document, pointer), pointer, message, fix);
    },
    limits.scenario.triedPlacements / points,
  );
  return scenario;
}

/** Where the value of `pointer` stands, or the nearest above it that the file has. */
function offsetOf(document: Document, pointer: string): number {
  let node: unknown = document.contents;
  let offset = 0;
  for (const key of pointer.split('/').slice(1)) {
    const collection = node as { get?: (key: string, keep: true) => unknown } | undefined;
    node = collection?.get?.(key.replaceAll('~1', '/').replaceAll('~0', '~'), true);
    const range = (node as { range?: [number] | null } | undefined)?.range;
    if (range === undefined || range === null) break;
    offset = range[0];
  }
  return offset;
}

const SYNTAX_FIXES: Readonly<Record<string, string>> = {
  DUPLICATE_KEY: 'keep one of the two',
  TAG_RESOLVE_FAILED: 'a "!" begins a YAML tag: put quotes around it, "!region:eu"',
  MULTIPLE_DOCS: 'one scenario a file: remove "---"',
};

function noteSyntax(document: Document, problems: ProblemList): void {
  for (const { code, message, pos } of [...document.errors, ...document.warnings]) {
    const duplicate = code === 'DUPLICATE_KEY';
    problems.add(
      pos[0],
      '',
      duplicate ? 'the key is there twice' : `not YAML 1.2: ${message}`,
      SYNTAX_FIXES[code] ?? 'mend the YAML here',
    );
  }
  let aliases = 0;
  visit(document, {
    Alias(_, alias) {
      aliases++;
      problems.add(
        alias.range?.[0] ?? 0,
        '',
        'an alias of YAML',
        'write the value out, or put quotes around it',
      );
    },
  });
  // Nothing of a broken document can be trusted; twice the same key is no reason to stop.
  if (document.errors.some(({ code }) => code !== 'DUPLICATE_KEY') || document.warnings.length + aliases > 0)
    problems.throwIfAny();
}

/** The sweep is no part of the scenario that a point runs. */
function takeSweep(document: Document): unknown {
  if (!isMap(document.contents)) return undefined;
  const { items } = document.contents;
  const index = items.findIndex(({ key }) => isScalar(key) && key.value === 'sweep');
  return index < 0 ? undefined : items.splice(index, 1)[0]?.value;
}
