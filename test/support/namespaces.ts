/**
 * Two Ethernet segments joined by one cable, made of network namespaces: processes in them have addresses of their own and
 * can be cut apart as by a pulled plug, packets lost and no connection closed. Linux, root and `ip` (iproute2) only.
 * What the test itself asks of a process goes another way: a network in which a process reaches this one, but no other.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { ip, quietly, removeLeftovers, removeNamespace } from './own-namespaces.ts';

export type Segment = 'west' | 'east';

export interface Host {
  /** On the segments, where peers meet: 10.77.0.0/24. */
  readonly address: string;
  /** Where this process reaches it. */
  readonly reachedAt: string;
  /** Runs what follows inside. */
  readonly command: readonly string[];
}

export interface Segments extends Disposable {
  /** This process's own address in the network that the cable is no part of. */
  readonly address: string;
  host(segment: Segment): Host;
  cut(): void;
  heal(): void;
}

const PREFIX = 'fondue-';
const BRIDGE = 'fm';

/** Why this machine has no namespaces for us, or false. */
export function namespacesMissing(): string | false {
  if (process.platform !== 'linux') return 'network namespaces are Linux only';
  if (process.getuid?.() !== 0) return 'network namespaces need root';
  try {
    createSegments()[Symbol.dispose]();
    return false;
  } catch (error) {
    return `no network namespaces here (apt-get install iproute2?): ${(error as Error).message.trim()}`;
  }
}

/** One at a time a process. */
export function createSegments(): Segments {
  removeLeftovers({ prefix: PREFIX, bridge: BRIDGE });
  const own = `${PREFIX}${process.pid}-`;
  const hub = `${own}hub`;
  // Interface names have 15 characters at most; here they are the whole machine's, in a namespace its own.
  const bridge = `${BRIDGE}${process.pid}`;
  // Of the addresses for measuring between networks (RFC 2544), which nobody has at home.
  const outside = `198.${18 + (process.pid % 2)}.${(process.pid >> 1) % 256}`;
  const address = `${outside}.1`;
  const hosts: string[] = [];

  const remove = (): void => {
    process.removeListener('exit', remove);
    for (const namespace of [...hosts, hub]) removeNamespace(namespace);
    quietly(() => ip('link', 'del', bridge));
  };
  process.once('exit', remove);
  try {
    ip('link', 'add', bridge, 'type', 'bridge');
    ip('address', 'add', `${address}/24`, 'dev', bridge);
    ip('link', 'set', bridge, 'up');
    ip('netns', 'add', hub);
    for (const segment of ['west', 'east'] satisfies Segment[]) {
      ip('-n', hub, 'link', 'add', segment, 'type', 'bridge');
      ip('-n', hub, 'link', 'set', segment, 'up');
    }
    ip('-n', hub, 'link', 'add', 'cable-west', 'type', 'veth', 'peer', 'name', 'cable-east');
    for (const segment of ['west', 'east'] satisfies Segment[]) {
      ip('-n', hub, 'link', 'set', `cable-${segment}`, 'master', segment);
      ip('-n', hub, 'link', 'set', `cable-${segment}`, 'up');
    }
  } catch (error) {
    remove();
    throw error;
  }

  return {
    address,
    host(segment) {
      const number = hosts.length + 2;
      const name = `${own}${number}`;
      ip('netns', 'add', name);
      hosts.push(name);
      const plug = `peer${number}`;
      ip('-n', name, 'link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', plug, 'netns', hub);
      ip('-n', hub, 'link', 'set', plug, 'master', segment, 'up');
      const wire = `fm${process.pid}x${number}`;
      ip('link', 'add', wire, 'type', 'veth', 'peer', 'name', 'outside', 'netns', name);
      ip('link', 'set', wire, 'master', bridge, 'up');
      // Ports that are isolated reach the bridge's own address only: no way round the cut.
      ip('link', 'set', wire, 'type', 'bridge_slave', 'isolated', 'on');
      const [peers, reachedAt] = [`10.77.0.${number}`, `${outside}.${number}`];
      ip('-n', name, 'address', 'add', `${peers}/24`, 'dev', 'eth0');
      ip('-n', name, 'address', 'add', `${reachedAt}/24`, 'dev', 'outside');
      for (const device of ['lo', 'eth0', 'outside']) ip('-n', name, 'link', 'set', device, 'up');
      return { address: peers, reachedAt, command: ['ip', 'netns', 'exec', name] };
    },
    cut: () => void ip('-n', hub, 'link', 'set', 'cable-west', 'down'),
    heal: () => void ip('-n', hub, 'link', 'set', 'cable-west', 'up'),
    [Symbol.dispose]: remove,
  };
}

/** Bytes over the segment since the namespace was made, both ways, Ethernet heads included. */
export function segmentBytes(pid: number): number {
  const table = readFileSync(`/proc/${pid}/net/dev`, 'utf8');
  const counters = /^\s*eth0:\s*(.+)$/m.exec(table)?.[1]?.trim().split(/\s+/).map(Number) ?? [];
  const [received = NaN, , , , , , , , sent = NaN] = counters;
  return received + sent;
}

/** How long the kernel sends an unanswered packet again before it gives the connection up: 15 times is its 13 to 30 minutes. */
export function setTcpRetries(host: Host, times: number): void {
  const [command = '', ...args] = host.command;
  execFileSync(command, [...args, 'sh', '-c', `echo ${times} > /proc/sys/net/ipv4/tcp_retries2`]);
}
