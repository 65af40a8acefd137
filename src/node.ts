/**
 * A node: every part is made and joined here, top to bottom. What a test or the simulator replaces comes in `overrides`;
 * one stack owns all that opens, and closes it in the opposite order.
 */
import { createHash } from 'node:crypto';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Config } from './config.ts';
import type { Clock, Randomness } from './core/clock.ts';
import { createFactEmitter, type FactEmitter } from './core/facts.ts';
import type { Policy } from './core/log/policy.ts';
import { createProjectMatcher } from './core/project-pattern.ts';
import { loadDashboard } from './dashboard/dashboard-page.ts';
import { openAdminSocket } from './dashboard/admin-socket.ts';
import { createGateway } from './gateway/gateway.ts';
import type { PageSigner } from './gateway/signed-routes.ts';
import type { Administration } from './mirror/administration.ts';
import { announce } from './mirror/announce.ts';
import { administerIndex } from './mirror/believed/administer-index.ts';
import { noteMode } from './mirror/believed/mode-since.ts';
import { refuseRetracted } from './mirror/believed/withhold.ts';
import { createFileOpener } from './mirror/open-file.ts';
import { forgetOld } from './mirror/forget-old.ts';
import { hidePrivate } from './mirror/hide-private.ts';
import { createFindFile } from './mirror/find-file.ts';
import { createWheelMetadata } from './mirror/make-metadata.ts';
import type { Mirror } from './mirror/mirror.ts';
import { createProjectJson } from './mirror/project-json.ts';
import { createProjectList } from './mirror/project-list.ts';
import { createProjectPages } from './mirror/project-pages.ts';
import { createProvenance } from './mirror/provenance.ts';
import { createStatusReporter } from './mirror/report-status.ts';
import { collect, pin, unpin } from './mirror/retain.ts';
import { createShelf } from './mirror/shelf.ts';
import type { NodeStatus } from './mirror/status.ts';
import { verifyStore } from './mirror/verify-store.ts';
import { warm } from './mirror/warm.ts';
import type { NetworkThread } from './network/thread/messages.ts';
import {
  createThreadedPeerNetwork,
  type ThreadedNetworkDeps,
} from './network/thread/threaded-peer-network.ts';
import { createNoPeerNetwork } from './network/no-peer-network.ts';
import type { PeerNetwork, Shelf } from './network/peer-network.ts';
import { removeNodeFile, writeNodeFile } from './node-file.ts';
import type { FollowerStorage } from './open-index.ts';
import type { PublishSettings } from './open-publisher.ts';
import { startNetworkThread } from './start-network-thread.ts';
import { openDataFolder } from './store/data-folder.ts';
import { openDiskBlobStore } from './store/disk-blob-store.ts';
import { loadGatewayKey } from './store/gateway-key.ts';
import { createLevelCatalog } from './store/level-catalog.ts';
import { openLevel } from './store/open-level.ts';
import type { BlobStore } from './store/blob-store.ts';
import {
  createMemoryReplaceableFile,
  createReplaceableFile,
  type ReplaceableFile,
} from './store/replaceable-file.ts';
import type { Catalog } from './store/catalog.ts';
import { holdProcess, systemClock, systemRandomness } from './system-clock.ts';
import { monitorProcess, type ProcessMonitor } from './system-process.ts';
import { createOfflineUpstream } from './upstream/offline-upstream.ts';
import type { Upstream } from './upstream/upstream.ts';

export interface NodeOverrides {
  readonly version?: string;
  readonly clock?: Clock;
  readonly randomness?: Randomness;
  readonly store?: BlobStore;
  readonly catalog?: Catalog;
  readonly upstream?: Upstream;
  /** What the follower keeps, in place of the data folder's `index/`. */
  readonly index?: FollowerStorage;
  /** In place of the policy's file; nobody is named: nobody is believed. */
  readonly policy?: Policy;
  /** In place of this process's own measurements. */
  readonly monitor?: ProcessMonitor;
  /** In place of libp2p; called once the store is open. */
  readonly network?: (deps: { shelf: Shelf; facts: FactEmitter }) => Promise<PeerNetwork>;
  /** False: no gateway and no admin socket, for a command that uses the folder and ends. */
  readonly serve?: boolean;
  /** No peers and no upstream: what is on this disk only. */
  readonly alone?: boolean;
  /** Reads the upstream and signs what it saw, besides all else. */
  readonly publish?: PublishSettings;
  /** Called with the emitter before anything opens, so that no fact is missed. */
  readonly onFacts?: (facts: FactEmitter) => void;
}

export interface FondueNode extends AsyncDisposable {
  readonly config: Config;
  readonly version: string;
  /** `http://127.0.0.1:8381`; empty when it does not serve. */
  readonly gateway: string;
  readonly peerId: string;
  multiaddrs(): readonly string[];
  readonly facts: FactEmitter;
  readonly mirror: Mirror;
  readonly administration: Administration;
  status(): NodeStatus;
}

/**
 * Opens the data folder and listens; resolves when gateway and network do. Unreachable peers or upstream are no error.
 * @throws ConfigurationError for a folder, port or address that cannot be used; nothing stays open then.
 */
export async function createNode(config: Config, overrides: NodeOverrides = {}): Promise<FondueNode> {
  const { clock = systemClock, randomness = systemRandomness, version = '0.0.0' } = overrides;
  const { serve = true, alone = false } = overrides;
  await using stack = new AsyncDisposableStack();
  const facts = createFactEmitter();
  overrides.onFacts?.(facts);
  const monitor = stack.use(overrides.monitor ?? monitorProcess());
  if (!serve && overrides.clock === undefined) stack.use(holdProcess());
  const policy = await openPolicy(config, overrides);
  const index = policy !== undefined || overrides.publish !== undefined;
  const start = (before: readonly string[]): NetworkThread =>
    startNetworkThread(config, { serve, index }, before);
  const thread = wantsNetwork(config, overrides) ? { start, first: start([]) } : undefined;
  stack.defer(async () => thread?.first.terminate());
  const { store, catalog } = await openStores(config, overrides, { clock, facts, stack });
  const offline = alone || config.mode === 'offline';
  const upstream = stack.use(
    overrides.upstream ?? (await openUpstream(config, { version, clock, randomness, facts, offline })),
  );
  const isPrivate = createProjectMatcher(config.private);
  const privateUpstream = upstream.private ? config.upstream : undefined;
  if (privateUpstream !== undefined || config.private.length > 0)
    await hidePrivate({ catalog, store, isPrivate, privateUpstream });
  const shelf = createShelf(store);
  const network = stack.use(await openNetwork(thread, overrides, { clock, shelf, facts }));
  stack.use(announce({ facts, network }));

  const ask = network.peerId === '' ? 'none' : config.ask; // Without a network nobody is waited for.
  const { openFile, fileSize } = stack.use(
    createFileOpener({ store, upstream, network, clock, randomness, facts, ask, offline }),
  );
  const inMemory = overrides.catalog !== undefined;
  const ground = { clock, randomness, facts, store, catalog, network, isPrivate, version, inMemory };
  // Loaded by those who follow or publish only: 10 MB that others need not hold.
  const signed = index
    ? stack.use(
        await (
          await import('./open-index.ts')
        ).openIndex(
          config,
          { policy, known: overrides.policy, publish: overrides.publish },
          { ...ground, upstream: overrides.upstream, storage: overrides.index },
        ),
      )
    : undefined;
  const head = signed?.head;
  const modeSince = await noteMode(catalog, config.mode, clock);
  const pages = stack.use(
    head === undefined
      ? createProjectPages(
          { catalog, store, upstream, clock, facts, isPrivate },
          { pageTtl: config.pageTtl, offline },
        )
      : (await import('./mirror/believed/believed-pages.ts')).createBelievedPages(
          { head, catalog, store, openFile, upstream, clock, facts, isPrivate },
          { offline, allowOld: config.allowOldPages, modeSince },
        ),
  );
  stack.use(forgetOld({ catalog, store, upstream, clock, facts, inUse: pages.inUse }));
  const fileNamed = (name: string): ReplaceableFile =>
    inMemory ? createMemoryReplaceableFile() : createReplaceableFile(join(config.dataDir, name));
  const list = head === undefined ? 'projects' : 'believed-projects';
  const files = {
    file: fileNamed(`${list}.gz`),
    fileFor: (form: string): ReplaceableFile => fileNamed(`${list}.${form}`),
  };
  const lists = stack.use(
    head === undefined
      ? createProjectList(
          { upstream, ...files, clock, randomness, isPrivate },
          { pageTtl: config.pageTtl, offline },
        )
      : (await import('./mirror/believed/believed-list.ts')).createBelievedList(
          { head, ...files, clock, isPrivate },
          { allowOld: config.allowOldPages },
        ),
  );
  const wheels = createWheelMetadata({ catalog, store, upstream, openFile, clock, facts }, { offline });
  facts.on('blob:added', ({ digest }) => void wheels.onWheelStored(digest));
  const found = createFindFile({ pages, catalog, store, clock, isPrivate, private: upstream.private });
  const mirror: Mirror = {
    project: pages.project,
    freshProject: pages.freshProject,
    ...(head === undefined ? found : refuseRetracted(found, (subject) => head.retracted(subject))),
    openFile,
    fileSize,
    metadata: wheels.metadata,
    projectList: lists.projectList,
    provenance: createProvenance({ project: pages.project, upstream, clock }, { offline }),
    projectJson: createProjectJson({ project: pages.project }),
  };
  const reporter = createStatusReporter({
    clock,
    facts,
    store,
    catalog,
    upstream,
    network,
    version,
    dataDir: config.dataDir,
    mode: config.mode,
    process: () => monitor.measure(),
  });
  let gatewayUrl = '';
  const status = (): NodeStatus => reporter.status(gatewayUrl);
  const freshStatus = async (): Promise<NodeStatus> => {
    await network.refreshStatus?.();
    return status();
  };
  const owned = { mirror, store, catalog, clock, upstream };
  const administration: Administration = {
    status: freshStatus,
    warm: (wanted, options) => warm(owned, wanted, options),
    pin: (wanted, options) => pin(owned, wanted, options),
    unpin: (wanted, options) => unpin(owned, wanted, options),
    collect: (bytes) => collect(owned, bytes),
    verify: (options) => verifyStore(owned, options),
    index: head && administerIndex(head, () => signed?.policyProblem()),
    ...signed?.administration,
  };
  const report = (error: unknown): void =>
    facts.emit('program:failed', {
      message: error instanceof Error ? (error.stack ?? error.message) : String(error),
    });
  if (serve) {
    const { host, port } = config.gateway;
    const gateway = stack.use(
      await createGateway(
        {
          mirror,
          clock,
          facts,
          status: freshStatus,
          health: () => reporter.health(),
          dashboard: loadDashboard(),
          report,
          signer: inMemory ? undefined : await openPageSigner(config, randomness),
          lastModified: head && (() => head.observedAt()),
        },
        { host, port, allowHosts: config.allowHosts, pageTtl: config.pageTtl },
      ),
    );
    gatewayUrl = gateway.url;
    const admin = stack.use(await openAdminSocket(await adminSocketPath(config.dataDir), administration));
    await writeNodeFile(config.dataDir, { pid: process.pid, gateway: gatewayUrl, adminSocket: admin.path });
    stack.defer(() => removeNodeFile(config.dataDir));
  }
  signed?.start();
  const opened = stack.move();
  return {
    config,
    version,
    gateway: gatewayUrl,
    peerId: network.peerId,
    multiaddrs: () => network.multiaddrs(),
    facts,
    mirror,
    administration,
    status,
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

async function openPolicy(config: Config, { policy }: NodeOverrides): Promise<Policy | undefined> {
  if (config.mode === 'direct') return undefined;
  if (policy === undefined) return (await import('./load-policy.ts')).loadPolicy(config);
  return policy.publishers.length > 0 ? policy : undefined;
}

interface Ground {
  readonly clock: Clock;
  readonly facts: FactEmitter;
  readonly stack: AsyncDisposableStack;
}

async function openStores(
  config: Config,
  overrides: NodeOverrides,
  { clock, facts, stack }: Ground,
): Promise<{ store: BlobStore; catalog: Catalog }> {
  if (overrides.store !== undefined && overrides.catalog !== undefined) {
    return { store: overrides.store, catalog: overrides.catalog };
  }
  const folder = stack.use(await openDataFolder(config.dataDir));
  const db = stack.use(await openLevel(folder.catalog, { clock, facts }));
  const catalog = overrides.catalog ?? stack.use(await createLevelCatalog(db, { clock }));
  const store =
    overrides.store ??
    stack.use(await openDiskBlobStore({ dataDir: folder.path, db, clock, quotaBytes: config.quota, facts }));
  return { store, catalog };
}

async function openUpstream(
  config: Config,
  deps: { version: string; clock: Clock; randomness: Randomness; facts: FactEmitter; offline: boolean },
): Promise<Upstream> {
  if (deps.offline) return createOfflineUpstream(config.upstream, { private: config.privateUpstream });
  // Only where it is asked: who brings an upstream need not load an HTTP client.
  const { createPypiUpstream } = await import('./upstream/pypi.ts');
  return createPypiUpstream({
    url: config.upstream,
    private: config.privateUpstream,
    credentials: config.upstreamCredentials,
    proxy: config.proxy,
    caFiles: config.caFiles,
    userAgent: `fondue-mirror/${deps.version} (peer-to-peer mirror of PyPI)`,
    clock: deps.clock,
    randomness: deps.randomness,
    facts: deps.facts,
  });
}

function wantsNetwork({ listen, bootstrap, mdns }: Config, overrides: NodeOverrides): boolean {
  if (overrides.alone === true || overrides.network !== undefined) return false;
  return listen.length > 0 || bootstrap.length > 0 || mdns;
}

async function openNetwork(
  thread: Pick<ThreadedNetworkDeps, 'start' | 'first'> | undefined,
  overrides: NodeOverrides,
  deps: { clock: Clock; shelf: Shelf; facts: FactEmitter },
): Promise<PeerNetwork> {
  if (overrides.network !== undefined && overrides.alone !== true) return overrides.network(deps);
  if (thread === undefined) return createNoPeerNetwork();
  return createThreadedPeerNetwork({ ...deps, ...thread });
}

async function openPageSigner({ dataDir }: Config, randomness: Randomness): Promise<PageSigner> {
  const { key, sign } = await loadGatewayKey(join(dataDir, 'gateway.key'), randomness);
  return { publicKey: key.publicKey, sign };
}

/** In the data folder; where its path is too long for a socket (104 bytes on macOS), in a folder of its own. */
async function adminSocketPath(dataDir: string): Promise<string> {
  if (process.platform === 'win32') {
    const name = createHash('sha256').update(dataDir).digest('hex').slice(0, 32);
    return `\\\\.\\pipe\\fondue-${name}`;
  }
  const usual = join(dataDir, 'admin.sock');
  if (Buffer.byteLength(usual) <= 100) return usual;
  return join(await mkdtemp(join(tmpdir(), 'fondue-')), 'admin.sock');
}
