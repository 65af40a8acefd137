/** The process as the status tells of it: memory and how late its event loop is. The only reader of both. */
import { monitorEventLoopDelay } from 'node:perf_hooks';

export interface ProcessMonitor extends Disposable {
  measure(): { rssBytes: number; eventLoopDelayP99Ms: number };
}

export function monitorProcess(): ProcessMonitor {
  const delay = monitorEventLoopDelay({ resolution: 20 });
  delay.enable();
  return {
    measure: () => ({
      rssBytes: process.memoryUsage.rss(),
      // The timer's own 20 ms are part of what is measured.
      eventLoopDelayP99Ms: Math.max(0, Math.round(delay.percentile(99) / 1e5) / 10 - 20),
    }),
    [Symbol.dispose]: () => delay.disable(),
  };
}
