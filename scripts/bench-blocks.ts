/**
 * How long nothing else could run in this process: the CPU time of its main thread between two turns of the event loop. The
 * time that passed says more of who else uses the machine: under a load of 20 a block of 20 ms of work took 2.7 s.
 */
export interface Blocks {
  /** Milliseconds. */
  readonly longest: number;
  /** Of a thousand turns one takes longer. */
  readonly rare: number;
}

export function watchBlocks(): { end(): Blocks } {
  const blocks: number[] = [];
  let before = process.threadCpuUsage();
  const look = (): void => {
    const { user, system } = process.threadCpuUsage(before);
    blocks.push((user + system) / 1000);
    before = process.threadCpuUsage();
  };
  const timer = setInterval(look, 1);
  return {
    end() {
      clearInterval(timer);
      look();
      const sorted = blocks.toSorted((a, b) => b - a);
      return { longest: sorted[0] ?? 0, rare: sorted[Math.floor(sorted.length / 1000)] ?? 0 };
    },
  };
}
