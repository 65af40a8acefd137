/**
 * Two nodes that find each other at the same time dial each other at the same time. Of two connections the one dialled by the
 * smaller peer id stays: both ends choose the same one without a word.
 */
export interface DirectedConnection {
  readonly direction: 'inbound' | 'outbound';
  readonly status: string;
}

/** The connections to close: those of the losing direction, once one of the other is open. */
export function duplicates<C extends DirectedConnection>(
  self: string,
  remote: string,
  connections: readonly C[],
): readonly C[] {
  const open = connections.filter(({ status }) => status === 'open');
  const kept = self < remote ? 'outbound' : 'inbound';
  if (!open.some(({ direction }) => direction === kept)) return [];
  return open.filter(({ direction }) => direction !== kept);
}
