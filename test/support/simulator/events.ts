/** Events of the model, made by hand: times are seconds. */
import type { Digest } from '../../../src/core/digest.ts';
import type { FactName } from '../../../src/core/facts.ts';
import { parseProjectName } from '../../../src/core/project-name.ts';
import type { AttemptEnd, ModelEvent } from '../../../src/simulator/model/model-event.ts';

export const second = 1e6;

export function digestOf(letter: string): Digest {
  return letter.repeat(64) as Digest;
}

export function up(node: number): ModelEvent {
  return { kind: 'node-up', node, incarnation: 0, peerId: `p${node}` };
}

export function down(node: number): ModelEvent {
  return { kind: 'node-down', node, how: 'crash' };
}

export function wiped(node: number): ModelEvent {
  return { kind: 'node-wiped', node };
}

/** Only what is read of it. */
export function fact(node: number, name: FactName, content: object): ModelEvent {
  return { kind: 'fact', node, name, fact: content as never };
}

export function faultBegan(fault: string, ...hosts: number[]): ModelEvent {
  return { kind: 'fault-began', fault, hosts };
}

/** Of the upstream: only its serial, or the file that came or went. */
export function indexChanged(serial: number, kind = 'released', digest = digestOf('f')): ModelEvent {
  const change = { kind, page: { serial, project: 'flask' }, file: { digest } };
  return { kind: 'index-changed', change: change as never };
}

export function served(
  node: number,
  page: { project?: string; serial: number | undefined; content: string; age?: number },
): ModelEvent {
  return {
    kind: 'page-served',
    node,
    project: parseProjectName(page.project ?? 'flask'),
    serial: page.serial,
    content: digestOf(page.content),
    ageSeconds: page.age ?? 0,
  };
}

const attempt = (id: number, node: number, digest: Digest) => ({
  id,
  node,
  incarnation: 0,
  what: 'file' as const,
  project: parseProjectName('flask'),
  digest,
});

export function began(
  id: number,
  node: number,
  digest: Digest,
  { onDisk = false, upstreamOpen = false } = {},
): ModelEvent {
  return { kind: 'attempt-began', attempt: attempt(id, node, digest), onDisk, upstreamOpen };
}

export function ended(id: number, node: number, digest: Digest, outcome: AttemptEnd['outcome']): ModelEvent {
  return {
    kind: 'attempt-ended',
    attempt: attempt(id, node, digest),
    end: { outcome, bytes: 0, source: undefined, reason: undefined },
  };
}

export function signed(node: number, size: number, more: object = {}): ModelEvent {
  return fact(node, 'publisher:signed', { origin: `log${node}`, size, serial: size, mapRoot: 'r', ...more });
}

/** The node's map of another's log is that of its record `size - 1`. */
export function advanced(node: number, publisher: number, size: number, more: object = {}): ModelEvent {
  const content = { origin: `log${publisher}`, seq: size - 1, serial: size, mapRoot: 'r', ...more };
  return fact(node, 'head:advanced', content);
}

export function gossiped(node: number, publisher: number, size: number): ModelEvent {
  const head = { origin: `log${publisher}`, size };
  return { kind: 'gossip-received', node, message: `${publisher} ${size}`, head };
}

/** As both ends tell it. */
export function linked(
  name: 'peer:connected' | 'peer:disconnected',
  a: number,
  b: number,
): [ModelEvent, ModelEvent] {
  return [fact(a, name, { peerId: `p${b}` }), fact(b, name, { peerId: `p${a}` })];
}
