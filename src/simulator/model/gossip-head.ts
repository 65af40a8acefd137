/** What a gossiped message says that it is, as an observer reads it: nothing of it is verified. */
import { hash } from 'node:crypto';
import { decodeAnnouncement } from '../../core/log/announcement.ts';
import { parseCheckpoint } from '../../core/log/checkpoint.ts';
import { parseNote } from '../../core/log/note.ts';
import type { ModelEvent } from './model-event.ts';

type GossipReceived = Extract<ModelEvent, { kind: 'gossip-received' }>;

export function gossipReceived(node: number, data: Uint8Array): GossipReceived {
  return { kind: 'gossip-received', node, message: hash('sha256', data).slice(0, 16), head: headOf(data) };
}

function headOf(data: Uint8Array): GossipReceived['head'] {
  try {
    const { origin, size } = parseCheckpoint(parseNote(decodeAnnouncement(data).checkpoint).text);
    return { origin, size };
  } catch {
    // A proof of misconduct, or a liar's.
    return undefined;
  }
}
