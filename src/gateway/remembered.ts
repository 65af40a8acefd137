/**
 * A pure function of a header, with its answers kept for the headers seen first: clients send the same few again and again,
 * and reading `Accept` anew costs a quarter of a warm page.
 */
export function remembered<T>(
  read: (header: string | undefined) => T,
  most = 64,
): (header: string | undefined) => T {
  const known = new Map<string | undefined, T>();
  return (header) => {
    const found = known.get(header);
    if (found !== undefined || known.has(header)) return found as T;
    const answer = read(header);
    if (known.size < most) known.set(header, answer);
    return answer;
  };
}
