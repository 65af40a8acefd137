/** The process as the status tells of it: memory and how late its event loop is. The only reader of both. */
import { monitorEventLoopDelay } from 'node:perf_hooks';

export interface ProcessMonitor extends Disposable {
  measure(): { rssBytes: number; eventLoopDelayP99Ms: number };
}

/** Milliseconds. */
const RESOLUTION = 100;

export function monitorProcess(): ProcessMonitor {
  // Each look wakes an idle thread: ten a second, not fifty.
  const delay = monitorEventLoopDelay({ resolution: RESOLUTION });
  delay.enable();
  return {
    measure: () => ({
      rssBytes: process.memoryUsage.rss(),
      // The timer's own time is part of what is measured.
      eventLoopDelayP99Ms: Math.max(0, Math.round(delay.percentile(99) / 1e5) / 10 - RESOLUTION),
    }),
    [Symbol.dispose]: () => delay.disable(),
  };
}
