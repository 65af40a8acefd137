/**
 * DNS for dials: a name that a stranger told us may resolve to 127.0.0.1 or to the router. What it resolves to must obey the
 * same rules as an address. Names of configured bootstraps may point anywhere.
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
      const allowed = isConfigured(name)
        ? found
        : found.filter(({ address }) => whyNotHost(address) === undefined);
      const [first] = allowed;
      if (first === undefined)
        return callback(new Error(`${name} leads to no address that may be dialled`), []);
      if (options.all === true) return callback(null, allowed);
      return callback(null, first.address, first.family);
    });
  };
}
