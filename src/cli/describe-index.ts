/** `fondue index status` as a person reads it: first whether the index can be used, then each publisher, then what is wrong. */
import { formatDuration } from '../core/units.ts';
import type { IndexReport } from '../mirror/administration.ts';
import type { VoterStatus } from '../mirror/follow/index-head.ts';
import { misconductWords } from './misconduct-words.ts';
import { styles } from './output.ts';

export const ago = (ms: number): string => `${formatDuration(Math.max(0, ms))} ago`;

export function describeIndex(report: IndexReport): string {
  const { bold } = styles(process.stdout, process.env);
  const { age, clock, alarms, misconduct } = report;
  const rows: [string, string][] = [
    ['policy', policyWords(report)],
    ...(report.policyProblem === null
      ? []
      : ([['policy', `AS BEFORE, since its file cannot be taken: ${report.policyProblem}`]] as [
          string,
          string,
        ][])),
    ['seen', age === undefined || age === null ? 'never' : ago(age)],
    ...(report.serial === null ? [] : ([['serial', String(report.serial)]] as [string, string][])),
    ...(clock === 'plausible' ? [] : ([['clock', clockWords[clock]]] as [string, string][])),
    ...report.voters.map((voter): [string, string] => ['publisher', publisherWords(voter, report)]),
    ...alarms.map((alarm): [string, string] => ['alarm', alarm]),
    ...misconduct.map(({ origin, kind, digest }): [string, string] => [
      'misconduct',
      `${origin}: ${misconductWords[kind] ?? kind}; proof ${digest} (fondue index misconduct ${digest} --out FILE)`,
    ]),
    ...Object.entries(report.refused).map(([code, count]): [string, string] => [
      'refused',
      `${count} ${code}`,
    ]),
  ];
  return rows.map(([name, text]) => `${bold(name.padEnd(10))} ${text}`).join('\n');
}

function policyWords({ k, voters, excluded, ready }: IndexReport): string {
  const left = voters.length - excluded;
  const enough = left < k ? `fewer than ${k} are left` : `so ${k} of ${left} must`;
  const without = excluded === 0 ? '' : `; ${excluded} of ${voters.length} excluded, ${enough}`;
  return `${k} of ${voters.length} must agree${without}${ready ? '' : '; too few are here yet'}`;
}

function publisherWords(voter: VoterStatus, { misconduct }: IndexReport): string {
  const { name, origin, size, names, complete, excluded, noVote, successor } = voter;
  const proof = misconduct.find((one) => one.origin === origin);
  const reason = proof === undefined ? 'misconduct is proven' : (misconductWords[proof.kind] ?? proof.kind);
  return [
    `${name}: ${size} records, ${names} projects`,
    ...(complete || noVote ? [] : ['not complete yet']),
    ...(noVote ? [`NO VOTE: ${noVote}`] : []),
    ...(excluded ? [`EXCLUDED: ${reason} (fondue trust pardon ${name}, or take a new key)`] : []),
    ...(successor ? [`has a new key: fondue trust replace ${name} ${successor}`] : []),
  ].join(', ');
}

const clockWords = {
  behind: 'this machine is behind: enough publishers have signed at later times',
  'set-back':
    'it showed a later time before, and ages are counted from that; if that was wrong: fondue index reset-clock',
} as const;
