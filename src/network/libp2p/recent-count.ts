/** How often something happened lately, by key. Knows as many keys as fit, the latest ones. */
export interface RecentCount {
  /** One more, now; resolves to how many within the time. */
  note(key: string, now: number): number;
}

export function createRecentCount(within: number, max: number): RecentCount {
  const times = new Map<string, number[]>();
  return {
    note(key, now) {
      const recent = (times.get(key) ?? []).filter((at) => now - at < within);
      recent.push(now);
      times.delete(key);
      times.set(key, recent);
      if (times.size > max) times.delete(times.keys().next().value as string);
      return recent.length;
    },
  };
}
