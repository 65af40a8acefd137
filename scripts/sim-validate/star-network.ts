/**
 * Hosts in network namespaces of their own around one switch that loses, on command, what goes between some of them: nothing
 * answers and no connection is closed, as in the simulator's black hole. Addresses are the simulator's, public ones each in a
 * /24 of its own, so that no node takes another for a neighbour. What the harness itself asks goes another way, which no cut
 * touches. Linux, root, `ip` and `nft`.
 */
import { execFileSync } from 'node:child_process';
import { ip, quietly, removeLeftovers, removeNamespace } from '../../test/support/own-namespaces.ts';

const PREFIX = 'fondue-val-';
const BRIDGE = 'fv';
const TABLE = 'bridge fondue';

export interface StarHost {
  readonly address: string;
  /** Where the harness reaches it. */
  readonly reachedAt: string;
  /** Runs what follows inside. */
  readonly command: readonly string[];
}

export interface StarNetwork extends Disposable {
  /** As the addresses that were given. */
  readonly hosts: readonly StarHost[];
  /** From now on packets go between all hosts but these, from the first to the second of a pair. */
  cut(pairs: readonly (readonly [number, number])[]): void;
  /** Packets lost to cuts so far. */
  lost(): number;
}

function run(program: string, args: readonly string[], input = ''): string {
  return execFileSync(program, args, { encoding: 'utf8', input, stdio: ['pipe', 'pipe', 'pipe'] });
}

/** Why this machine cannot, or false. */
export function starNetworkMissing(): string | false {
  if (process.platform !== 'linux') return 'network namespaces are Linux only';
  if (process.getuid?.() !== 0) return 'network namespaces need root';
  try {
    using network = createStarNetwork(['20.0.0.7', '20.0.1.7']);
    network.cut([[0, 1]]);
    return false;
  } catch (error) {
    return `no network namespaces or no nft here (apt-get install iproute2 nftables?): ${(error as Error).message.trim()}`;
  }
}

/** One at a time a process. */
export function createStarNetwork(addresses: readonly string[]): StarNetwork {
  removeLeftovers({ prefix: PREFIX, bridge: BRIDGE });
  const { pid } = process;
  const hub = `${PREFIX}${pid}-hub`;
  // Interface names have 15 characters at most, and those outside are the whole machine's.
  const bridge = `${BRIDGE}${pid}`;
  // Of the addresses for measuring between networks (RFC 2544), which nobody has at home.
  const outside = `198.${18 + (pid % 2)}.${(pid >> 1) % 256}`;
  const name = (index: number): string => `${PREFIX}${pid}-${index}`;
  const remove = (): void => {
    process.removeListener('exit', remove);
    for (const namespace of [...addresses.map((_, index) => name(index)), hub]) removeNamespace(namespace);
    quietly(() => ip('link', 'del', bridge));
  };
  process.once('exit', remove);
  const nft = (text: string): void => void run('ip', ['netns', 'exec', hub, 'nft', '-f', '-'], text);
  try {
    run('ip', ['link', 'add', bridge, 'type', 'bridge']);
    run('ip', ['address', 'add', `${outside}.1/24`, 'dev', bridge]);
    run('ip', ['link', 'set', bridge, 'up']);
    for (const namespace of [hub, ...addresses.map((_, index) => name(index))])
      run('ip', ['netns', 'add', namespace]);
    run('ip', ['-n', hub, 'link', 'add', 'switch', 'type', 'bridge']);
    run('ip', ['-n', hub, 'link', 'set', 'switch', 'up']);
    for (const [index, address] of addresses.entries())
      plugIn(hub, { bridge, outside, index, name: name(index), address });
    // IP only: with ARP lost too a connect would fail at once where the Internet says nothing.
    nft(`table ${TABLE} {
  set cut { type ifname . ifname; }
  chain forward {
    type filter hook forward priority 0; policy accept;
    ether type ip iifname . oifname @cut counter drop
  }
}\n`);
  } catch (error) {
    remove();
    throw error;
  }
  return {
    hosts: addresses.map((address, index) => ({
      address,
      reachedAt: `${outside}.${index + 2}`,
      command: ['ip', 'netns', 'exec', name(index)],
    })),
    cut(pairs) {
      const elements = pairs.map(([from, to]) => `"port${from}" . "port${to}"`);
      // One transaction: no instant lies between two cuts.
      nft(
        `flush set ${TABLE} cut\n${elements.length === 0 ? '' : `add element ${TABLE} cut { ${elements.join(', ')} }\n`}`,
      );
    },
    lost() {
      const rules = run('ip', ['netns', 'exec', hub, 'nft', 'list', 'chain', ...TABLE.split(' '), 'forward']);
      return Number(/counter packets (\d+)/.exec(rules)?.[1] ?? 0);
    },
    [Symbol.dispose]: remove,
  };
}

function plugIn(
  hub: string,
  host: {
    readonly bridge: string;
    readonly outside: string;
    readonly index: number;
    readonly name: string;
    readonly address: string;
  },
): void {
  const { bridge, outside, index, name, address } = host;
  const [port, wire] = [`port${index}`, `${bridge}x${index}`];
  run(
    'ip',
    ['-batch', '-'],
    `link add ${wire} type veth peer name outside netns ${name}
link set ${wire} master ${bridge} up
link set ${wire} type bridge_slave isolated on
`,
  );
  run(
    'ip',
    ['-n', name, '-batch', '-'],
    `link add eth0 type veth peer name ${port} netns ${hub}
address add ${address}/24 dev eth0
address add ${outside}.${index + 2}/24 dev outside
link set lo up
link set eth0 up
link set outside up
route add 20.0.0.0/8 dev eth0
`,
  );
  run('ip', ['-n', hub, 'link', 'set', port, 'master', 'switch', 'up']);
}
