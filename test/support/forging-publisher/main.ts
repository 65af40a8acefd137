/**
 * Publishers and peers that say what they are told to, true or forged, in a process of their own: a second implementation of the
 * signed index, written from docs/protocol.md alone. Nothing here is from `src/`. A command is a line of JSON on standard input with
 * an `id`; its answer, a line on standard output with the same `id` and `result` or `error`. The commands: `commands.ts`.
 *
 *   node test/support/forging-publisher/main.ts
 */
import { createInterface } from 'node:readline';
import type { Commands } from './commands.ts';
import { createForgingPeer, type ForgingPeer } from './peer.ts';
import type { Entry } from './project-map.ts';
import { ForgingPublisher } from './publisher.ts';
import { canonicalJson, createKey, sha256 } from './signed-log.ts';

const publishers = new Map<string, ForgingPublisher>();
const peers = new Map<string, ForgingPeer>();
const pages = new Map<string, { readonly entry: Entry; readonly bytes: Buffer }>();

function one<T>(map: ReadonlyMap<string, T>, name: string): T {
  const found = map.get(name);
  if (found === undefined) throw new Error(`there is no ${name}`);
  return found;
}
const digestOf = (page: string): string => Buffer.from(one(pages, page).entry.digest).toString('hex');

const commands: Commands = {
  async publisher({ name }) {
    const publisher = new ForgingPublisher(createKey(name, sha256(Buffer.from(`seed of ${name}`))));
    publishers.set(name, publisher);
    return { verifier: publisher.key.verifier };
  },
  async fork({ publisher, as, size }) {
    publishers.set(as, one(publishers, publisher).fork(size));
    return {};
  },
  async page({ page, project, serial, files }) {
    const bytes = Buffer.from(
      canonicalJson({
        files: files
          .toSorted((a, b) => (a.filename < b.filename ? -1 : 1))
          .map(({ filename, sha256: hash, size, path }) => ({
            filename,
            hashes: { sha256: hash },
            size,
            // Below the records' `fileOrigin`.
            url: path,
            yanked: false,
          })),
        meta: {},
        name: project,
        'project-status': { status: 'active' },
        versions: [],
      }),
    );
    pages.set(page, { bytes, entry: { name: project, serial, digest: sha256(bytes), length: bytes.length } });
    return { digest: digestOf(page) };
  },
  async sign({ publisher, set = [], ...statement }) {
    one(publishers, publisher).sign({ ...statement, set: set.map((page) => one(pages, page).entry) });
    return { size: one(publishers, publisher).size };
  },
  async peer({ name, publishers: names, dial }) {
    const peer = await createForgingPeer(names.map((publisher) => one(publishers, publisher)));
    peers.set(name, peer);
    if (dial !== undefined) await peer.dial(dial);
    const { peerId, address } = peer;
    return { peerId, address };
  },
  async dial({ peer, address }) {
    await one(peers, peer).dial(address);
    return {};
  },
  async behave({ peer, publishers: names, pages: held = [], files = [], garble, heads }) {
    const { behaviour } = one(peers, peer);
    if (names !== undefined) behaviour.publishers = names.map((name) => one(publishers, name));
    for (const page of held) behaviour.blobs.set(digestOf(page), one(pages, page).bytes);
    for (const file of files) {
      const bytes = Buffer.from(file, 'base64');
      behaviour.blobs.set(sha256(bytes).toString('hex'), bytes);
    }
    for (const page of garble ?? []) behaviour.garbled.add(digestOf(page));
    if (heads !== undefined) behaviour.heads = one(publishers, heads.publisher).announcement(heads.size);
    return {};
  },
  async gossip({ peer, publisher, size, flip }) {
    await one(peers, peer).gossip(one(publishers, publisher).announcement(size, flip));
    return {};
  },
  async seen({ peer }) {
    const { asked, given, connections } = one(peers, peer);
    return { asked, given, connections };
  },
  async leave({ peer }) {
    await one(peers, peer)[Symbol.asyncDispose]();
    peers.delete(peer);
    return {};
  },
};

type Line = { readonly id: number; readonly command: keyof Commands; readonly args: never };

for await (const line of createInterface({ input: process.stdin })) {
  const { id, command, args } = JSON.parse(line) as Line;
  // Not one after the other: a gossip that waits for its reader must not hold up the rest.
  commands[command](args).then(
    (result) => console.log(JSON.stringify({ id, result })),
    (error: unknown) => console.log(JSON.stringify({ id, error: String(error) })),
  );
}
process.exit(0);
