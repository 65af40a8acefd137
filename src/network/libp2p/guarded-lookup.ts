/**
 * DNS for dials: a name that a stranger told us may resolve to 127.0.0.1 or to the router. What it resolves to must obey the
 * same rules as an address. Names of configured bootstraps may point anywhere. Of what else a name leads to, one host of each
 * family is tried: each counts as dialled, and a name with a thousand addresses would keep us from dialling whoever has them.
 */
import { lookup } from 'node:dns';
import type { LookupAddress, LookupOptions } from 'node:dns';

type Callback = (
  error: NodeJS.ErrnoException | null,
  address: string | LookupAddress[],
  family?: number,
) => void;

export function guardLookup(
  isConfigured: (name: string) => boolean,
  whyNotHost: (host: string) => string | undefined,
): (name: string, options: LookupOptions, callback: Callback) => void {
  return (name, options, callback) => {
    lookup(name, { ...options, all: true }, (error, found) => {
      if (error !== null) return callback(error, []);
      const allowed = isConfigured(name) ? found : oneOfEachFamily(found, whyNotHost);
      const [first] = allowed;
      if (first === undefined)
        return callback(new Error(`${name} leads to no address that may be dialled`), []);
      if (options.all === true) return callback(null, allowed);
      return callback(null, first.address, first.family);
    });
  };
}

/** Those that may be dialled, the first of each family; the others are not even judged. */
function oneOfEachFamily(
  found: readonly LookupAddress[],
  whyNotHost: (host: string) => string | undefined,
): LookupAddress[] {
  const allowed: LookupAddress[] = [];
  for (const one of found) {
    if (allowed.some(({ family }) => family === one.family)) continue;
    if (whyNotHost(one.address) === undefined) allowed.push(one);
  }
  return allowed;
}
