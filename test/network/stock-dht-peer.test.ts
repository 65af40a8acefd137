import assert from 'node:assert/strict';
import { fork, execFile } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { describe, it } from 'node:test';
import { promisify } from 'node:util';
import { digestToCid } from '../../src/core/digest.ts';
import type { NetworkStatus } from '../../src/network/peer-network.ts';
import { digestOf } from '../support/memory-shelf.ts';

const support = new URL('../support/', import.meta.url);
const preload = ['--import', new URL('shifted-date.ts', support).href];

interface Child extends AsyncDisposable {
  readonly address: string;
  readonly peerId: string;
  send(message: object): void;
  status(): Promise<NetworkStatus>;
}

async function child(...args: string[]): Promise<Child> {
  const running: ChildProcess = fork(new URL('network-child.ts', support), args, { execArgv: preload });
  const next = async (): Promise<Record<string, unknown>> => {
    const [message] = (await once(running, 'message', { signal: AbortSignal.timeout(20_000) })) as [
      Record<string, unknown>,
    ];
    return message;
  };
  const { address, peerId } = await next();
  return {
    address: address as string,
    peerId: peerId as string,
    send: (message) => running.send(message),
    async status() {
      running.send({ status: true });
      return (await next())['status'] as NetworkStatus;
    },
    async [Symbol.asyncDispose]() {
      const exited = once(running, 'exit');
      running.kill('SIGKILL');
      await exited;
    },
  };
}

/** Polls, because what is waited for happens in other processes; hurries them meanwhile. */
async function until(children: readonly Child[], done: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + 20_000;
  while (!(await done())) {
    assert.ok(performance.now() < end, 'not within 20 s');
    for (const one of children) one.send({ skip: 1000 });
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function findWithStockPeer(
  address: string,
  cid: string,
): Promise<{ peerId: string; addresses: string[]; dialled: boolean }[]> {
  const script = new URL('stock-dht-query.ts', support).pathname;
  const { stdout } = await promisify(execFile)(process.execPath, [script, address, cid], { timeout: 30_000 });
  return JSON.parse(stdout) as { peerId: string; addresses: string[]; dialled: boolean }[];
}

describe('a stock kad-dht peer under our protocol name', () => {
  it('finds who provides a CID, with addresses that lead there, at once, after 90 minutes and after 8 hours', async () => {
    const blob = 'a wheel of cheese';
    const cid = digestToCid(digestOf(new TextEncoder().encode(blob))).toString();
    await using server = await child('', '');
    await using provider = await child(server.address, blob);
    await until([provider], async () => (await server.status()).providerRecords === 1);
    const expected = [
      { peerId: provider.peerId, addresses: [provider.address.replace(/\/p2p\/.*/, '')], dialled: true },
    ];
    assert.deepEqual(await findWithStockPeer(server.address, cid), expected);
    for (const minutes of [90, 6.5 * 60]) {
      server.send({ shift: minutes * 60_000 });
      provider.send({ shift: minutes * 60_000 });
      assert.deepEqual(await findWithStockPeer(server.address, cid), expected, `${minutes} minutes later`);
    }
  });
});
