/**
 * One end of a thread's port. What is posted in one turn of the event loop goes over as two messages at most, in order: the
 * first at once, the others joined. Posting and waking the other thread for each cost the gateway's thread a tenth of its
 * time while small blobs came.
 */
import type { MessagePort, Worker } from 'node:worker_threads';
import type { Port } from './messages.ts';

export function joinedPort<Out, In>(raw: MessagePort | Worker): Port<Out, In> {
  let messages: Out[] = [];
  let buffers: ArrayBuffer[] = [];
  let posted = false;
  const flush = (): void => {
    posted = false;
    if (messages.length === 0) return;
    const [joined, transfer] = [messages, buffers];
    messages = [];
    buffers = [];
    raw.postMessage(joined, transfer);
  };
  return {
    post(message, transfer = []) {
      if (posted) {
        messages.push(message);
        buffers.push(...transfer);
        return;
      }
      posted = true;
      // After the events of this turn, before the next ones are waited for.
      setImmediate(flush);
      raw.postMessage([message], [...transfer]);
    },
    onMessage(listener) {
      raw.on('message', (joined: readonly In[]) => {
        for (const message of joined) listener(message);
      });
    },
  };
}
