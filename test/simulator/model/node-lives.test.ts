import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cpuCosts } from '../../../src/simulator/kernel/cpu/cpu-costs.ts';
import { Kernel } from '../../../src/simulator/kernel/kernel.ts';
import type { Owner } from '../../../src/simulator/kernel/owner.ts';
import type { ModelEvent } from '../../../src/simulator/model/model-event.ts';
import { beginChurn } from '../../../src/simulator/model/node-churn.ts';
import { NodeLives, type Rejoin } from '../../../src/simulator/model/node-lives.ts';
import { createRandomness, deriveStream } from '../../../src/simulator/scenario/streams.ts';

const second = 1e6;

/** A machine whose starts and stops take a second each. */
class FakeMember {
  readonly peerId = 'peer';
  owner: Owner | undefined;
  node: object | undefined;
  readonly rejoins: Rejoin[] = [];
  readonly #kernel: Kernel;

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
  }

  start(rejoin: Rejoin): Promise<void> {
    assert.equal(this.owner, undefined, 'a life began in another');
    const owner = { ...this.#kernel.world, node: 0, skew: 0, alive: true };
    this.owner = owner;
    this.rejoins.push(rejoin);
    return new Promise((resolve) => {
      this.#later(() => {
        if (!owner.alive) return;
        this.node = {};
        resolve();
      });
    });
  }

  stop(): Promise<void> {
    const { owner } = this;
    this.node = undefined;
    return new Promise((resolve) => {
      this.#later(() => {
        if (owner?.alive !== true) return;
        this.crash();
        resolve();
      });
    });
  }

  crash(): void {
    if (this.owner) this.owner.alive = false;
    this.owner = undefined;
    this.node = undefined;
  }

  #later(run: () => void): void {
    this.#kernel.schedule(second, 'start', this.#kernel.world, run);
  }
}

function createLives() {
  const randomness = createRandomness(deriveStream(1, 0, 'world', 'test'));
  const kernel = new Kernel({ epoch: 0, costs: cpuCosts.zero, randomness, setImmediate });
  const member = new FakeMember(kernel);
  const told: string[] = [];
  const lives = new NodeLives({ kernel, members: [member] as never }, (at: number, event: ModelEvent) => {
    told.push(`${at / second} ${event.kind}${event.kind === 'node-down' ? ` ${event.how}` : ''}`);
  });
  const at = (s: number, work: () => void): void =>
    void kernel.schedule(s * second - kernel.now, 'start', kernel.world, work);
  return { kernel, member, lives, told, at };
}

test('a node that two faults keep down comes back when the last of them is over', async () => {
  const { kernel, lives, told, at } = createLives();
  lives.start(0);
  at(10, () => lives.crash(0, 'one'));
  at(20, () => lives.crash(0, 'two'));
  at(30, () => lives.release(0, 'one'));
  at(40, () => lives.release(0, 'two'));
  await kernel.run(60 * second);
  assert.deepEqual(told, ['1 node-up', '10 node-down crash', '41 node-up']);
});

test('a restart that is over before the node has closed begins the next life when it has', async () => {
  const { kernel, lives, told, at } = createLives();
  lives.start(0);
  at(10, () => lives.leave(0, 'restart'));
  at(10.2, () => lives.release(0, 'restart'));
  await kernel.run(60 * second);
  assert.deepEqual(told, ['1 node-up', '10 node-down leave', '12 node-up']);
});

test('a crash while a node closes is its end, and it comes back once', async () => {
  const { kernel, lives, told, at } = createLives();
  lives.start(0);
  at(10, () => lives.leave(0, 'restart'));
  at(10.5, () => lives.crash(0, 'crash'));
  at(20, () => lives.release(0, 'restart'));
  at(21, () => lives.release(0, 'crash'));
  await kernel.run(60 * second);
  assert.deepEqual(told, ['1 node-up', '10 node-down leave', '10.5 node-down crash', '22 node-up']);
});

test('a disk that one of the reasons lost is lost, and that is told before the life', async () => {
  const { kernel, member, lives, told, at } = createLives();
  lives.start(0);
  at(10, () => lives.crash(0, 'fault'));
  at(10, () => lives.crash(0, 'churn'));
  at(20, () => lives.release(0, 'fault', { address: 'keep', state: 'wipe' }));
  at(30, () => lives.release(0, 'churn', { address: 'new', state: 'keep' }));
  await kernel.run(60 * second);
  assert.deepEqual(member.rejoins.at(-1), { address: 'new', state: 'wipe' });
  assert.deepEqual(told.slice(-2), ['30 node-wiped', '31 node-up']);
});

test('skews add up, hold for the next life too, and end with their faults', async () => {
  const { kernel, member, lives, at } = createLives();
  const seen: (number | undefined)[] = [];
  const look = (): void => void seen.push(member.owner?.skew);
  lives.start(0);
  at(5, () => lives.skew(0, 'fast', 600));
  at(6, () => lives.skew(0, 'slow', -100));
  at(7, look);
  at(8, () => lives.crash(0, 'crash'));
  at(9, () => lives.release(0, 'crash'));
  at(12, look);
  at(13, () => lives.skew(0, 'fast', 0));
  at(14, look);
  await kernel.run(20 * second);
  assert.deepEqual(seen, [500, 500, -100]);
});

test('churn ends and begins lives by its draws, from the middle of them', async () => {
  const { kernel, lives, told } = createLives();
  const hour = 3600 * second;
  beginChurn(
    {
      session: { kind: 'exponential', mean: hour },
      downtime: { kind: 'exponential', mean: hour / 2 },
      rejoin: { address: 'keep', state: 'keep' },
      among: ['all'],
    },
    [0],
    { kernel, lives, stream: () => createRandomness(deriveStream(7, 0, 0, 'churn')) },
  );
  lives.start(0);
  await kernel.run(3000 * hour);
  const sessions = told.filter((line) => line.endsWith('node-up')).length;
  // 3,000 hours in cycles of 1.5: 2,000 give or take three deviations.
  assert.ok(sessions > 1850 && sessions < 2150, `${sessions} sessions`);
});
