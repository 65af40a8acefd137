/**
 * Every bound and threshold in one table. Sizes in bytes, times in milliseconds, rates a second, unless the name says
 * otherwise. Checked before memory is taken. Most are judgement (design/network, design/gateway); the simulator tests them.
 */
const KiB = 1024;
const MiB = 1024 * KiB;
const GiB = 1024 * MiB;
const second = 1000;
const minute = 60 * second;
const hour = 60 * minute;

export const limits = {
  page: {
    encodedBytes: 32 * MiB,
    decodedBytes: 32 * MiB,
    listDecodedBytes: 128 * MiB,
    /** The largest page seen (pydantic-core, 2026) has 15,000. */
    files: 100_000,
    /** Levels of nesting below the page; what PyPI sends has 4. */
    depth: 16,
    filenameLength: 255,
  },
  file: {
    bytes: 16 * GiB,
    metadataBytes: 4 * MiB,
    /** An end record with the longest comment: 22 + 65,535. */
    zipTailBytes: 64 * KiB + 21,
    centralDirectoryBytes: 16 * MiB,
  },
  gateway: {
    headerBytes: 16 * KiB,
    urlBytes: 8 * KiB,
    connections: 1024,
    headerTime: 10 * second,
    idleTime: 60 * second,
    /** How long a client waits for what is not kept before 503. */
    wait: 12 * second,
    waitUv: 25 * second,
    waitPdm: 60 * second,
    retryAfterSeconds: 2,
    /** No gap in a body may reach this (pip and Poetry give up after 15 s). */
    bodyGap: 10 * second,
    heldBackTail: 64 * KiB,
    smallFile: 256 * KiB,
    smallFileCache: 64 * MiB,
    /** A small file in memory is opened again after this: the store counts the use, and what it dropped is noticed. */
    smallFileFresh: minute,
    pageCache: 64 * MiB,
    copyBuffer: MiB,
    /** All copy buffers together; who finds none left copies in pieces of `copyPiece`. */
    copyMemory: 32 * MiB,
    copyPiece: 64 * KiB,
    /** A client that takes longer for one buffer goes on with small pieces, so that it keeps none from others. */
    slowWrite: second,
    /** Requests at work on one connection: clients do not pipeline. */
    pipelined: 16,
    eventClients: 32,
    eventBuffer: 64 * KiB,
    /** Events told again to who comes new or back. */
    eventHistory: 64,
    eventHeartbeat: 15 * second,
    /** Requests and bytes served are told as one sum this often. */
    eventSums: second,
    /** What answers have to end when the gateway closes. */
    closeTime: 2 * second,
  },
  freshness: {
    pageTtl: 10 * minute,
    /** A kept page past its time waits this long for the revalidation. */
    revalidateWait: 300,
    noCacheWait: 3 * second,
    /** A request for a page that is not kept is made once more beside the first when nothing came for this long. */
    secondTry: 8 * second,
    absenceKept: 24 * hour,
    /** A 404 for a name with a kept page is believed only when read again this much later. */
    absenceConfirm: minute,
    /**
     * An older page than the kept one is believed when nothing else was answered for this long. A CDN keeps a page for a
     * day and serves it a day longer while its origin fails; what is older for longer is the upstream's own going back.
     */
    olderBelieved: 48 * hour,
    /** A page that the upstream contradicted without being believed is asked for again after this. */
    doubtRecheck: minute,
    /** A page or name whose last request failed is not asked for again before this (unless a client has nothing else). */
    failureRecheck: 2 * second,
    /** After a failure the upstream is taken for failing this long, or until it answers. */
    troubled: 30 * second,
    /** Requests for kept pages at an upstream taken for failing: so many at once, and so far apart. */
    probes: 4,
    probeEvery: second,
    /** A page that lacks a file that a client asks for is asked for again, but not more often than this. */
    lackRecheck: 10 * second,
    /** A file whose page is not kept: so long the page is waited for, longer only while the upstream does not fail. */
    lackWait: 2 * second,
    /** Pages being fetched at once; more are answered 503. */
    flights: 1024,
    pageFetch: minute,
    fileLinger: 30 * second,
    partialKept: hour,
  },
  pages: {
    /** What is written down of pages' files behind the clients' backs: so many at once, of so many waiting pages. */
    originsBatch: 500,
    originsWaiting: 256,
    /** Projects that are asked for a file whose name fits several. */
    candidates: 4,
  },
  upstream: {
    /** Requests in flight to one origin; whole files may take `bulk` of them, so that pages always find room. */
    parallel: 16,
    bulk: 12,
    origins: 64,
    connectTime: 10 * second,
    headersTime: minute,
    bodyIdle: 30 * second,
    /** A page, retries and all; files have no such limit. */
    pageTime: 2 * minute,
    keepAlive: 15 * second,
    redirects: 5,
    attempts: 3,
    retryDelay: 250,
    /** A rest that was asked for (Retry-After) is kept for at most this long; a call waits for the end of a short one only. */
    retryAfterMax: minute,
    restPatience: 10 * second,
    healthyWithin: minute,
  },
  /** The list of all projects: one entry, everything beside the entries, and the longest that reading it may take. */
  list: { entryBytes: 64 * KiB, tagBytes: 256 * KiB, restBytes: 64 * KiB, fetch: 10 * minute },
  /** Finding a wheel's metadata: the next way begins when the one before took `stagger`; `wait` for peers; all ends at `flight`. */
  metadata: { stagger: 3 * second, wait: 3 * second, flight: 40 * second, flights: 256 },
  race: {
    upstreamStart: 300,
    winBytes: 256 * KiB,
    winSlack: 1.2,
    rateWindow: 2 * second,
    minRate: 64 * KiB,
    routedMinBytes: MiB,
    peersPerBlob: 12,
    parallelMinBytes: 8 * MiB,
    unit: MiB,
    window: 16 * MiB,
    strangerHeldBytes: 8 * MiB,
    /** A late source takes over only if more than this is left at the present rate. */
    takeOver: 2 * second,
    hedgeEvery: 20,
    hedgeMax: 4,
    hedgeLoad: 128,
    /** Cold fetches remembered, and the share of them won by peers below which the upstream is not kept waiting. */
    history: 50,
    historyShare: 0.05,
    upstreamRateKept: 10 * minute,
    /** How long a large blob's peers are gathered before the first range: the longest HAVE deadline. */
    gather: 150,
    parallelPeers: 4,
    parallelPerPeer: 2,
    holders: 20,
  },
  /** A blob's flight (design/gateway, "Serving while fetching"). */
  fetch: {
    /** A client that got nothing for this long gets a byte of what is held back: below `gateway.bodyGap`. */
    drip: 8 * second,
    /** Bytes of a stranger that are too many to hold wholly are held this long. */
    strangerHold: second,
    /** A source that gives nothing for this long is doubled by a second request; the time doubles with each. */
    stall: 4 * second,
    /** The same for an upstream that has not answered at all. */
    firstAnswer: 12 * second,
    retryFirst: 250,
    retryMax: 10 * second,
    /** A broken transfer that brought this much is gone on with at once. */
    progress: 16 * KiB,
    /** A flight that brings nothing new for so long ends; what arrived is kept. */
    giveUp: 5 * minute,
    /** Wholes that did not fit before a flight gives up. */
    wrongWholes: 4,
    /** Wrong wholes or sizes of the upstream before a flight leaves it. */
    wrongUpstream: 2,
    suspectRanges: 1024,
    /** Bytes received and not yet taken by the store, a flight. */
    unwritten: MiB,
    /** Memory of all flights: what strangers sent, units that arrived early, windows of pass-through. */
    memory: 64 * MiB,
    passThroughWindow: 4 * MiB,
    passThroughLeast: 256 * KiB,
    /** A reader that keeps a full window waiting this long is left behind. */
    laggard: 5 * second,
    attemptsTold: 8,
    warmParallel: 4,
    /** How long a file that is fetched ahead may bring nothing. */
    aheadWait: minute,
  },
  /** Peers without a good record (design/network, "Blame"). */
  strangers: {
    perBlob: 2,
    pause: 10 * minute,
    discardedBytes: 64 * MiB,
    discardedShare: 0.1,
    discardedWindow: hour,
    remembered: 4096,
  },
  /** The blob protocol (design/network): wire bounds first, then what a peer may cost us. */
  blob: {
    /** With its 4-byte head and yamux's 12 bytes a frame fills one Noise message (65,519 bytes of plaintext). */
    frameBytes: 65_503,
    haveDigests: 256,
    leavesCount: 512,
    errorTextBytes: 200,
    leafChunk: MiB,
    deadline: 30 * second,
    /** A deadline asked for beyond this is cut to it. */
    deadlineMax: 10 * minute,
    unreadRequestBytes: 64 * KiB,
    requestTime: 5 * second,
    slowReaderBytes: 64 * KiB,
    slowReaderTime: 20 * second,
    idle: minute,
    inboundStreams: 256,
    bulkStreams: 8,
    haveRate: 256,
    haveBurst: 2048,
    /** 1 MiB chunk hashes: how often a peer may have them read, how many are remembered, and computed for one request. */
    leavesRate: 1,
    leavesBurst: 4,
    leavesKept: 64 * 1024,
    leavesComputed: 16,
    gets: 64,
    getsKept: 16,
    getsPerPeer: 8,
    getsPerStranger: 2,
    getsPerGroup: 16,
    /** GETs that wait for a slot: of one peer, in all, and how long. */
    waitingPerPeer: 8,
    waiting: 16,
    waitTime: second,
    busyRetry: 500,
    turn: 4 * MiB,
    writeTurn: 64 * KiB,
    streamBuffer: 8 * MiB,
    totalBuffer: 256 * MiB,
    /** With this much or less to come a cancelled answer is read out, with more the stream is reset. */
    readOut: 256 * KiB,
    violations: 3,
    violationsWithin: hour,
    violationBan: hour,
    /** Our side: no byte of an answer for this long. */
    answerIdle: 20 * second,
    /** What our GETs ask for: the peer's ERROR 6 comes before our own patience ends. */
    askedDeadline: 15 * second,
    controlTime: 10 * second,
    slowLosses: 3,
    slowFor: hour,
    recordsKept: 4096,
    /** How often limits on time are looked at. */
    sweep: second,
    /** Frames read from the disk, hashed and written at a time while nobody else sends: writes of 256 KiB cost less. */
    writeFramesAlone: 4,
    sendBuffersKept: 32,
    /** Bytes received and not yet taken by our reader, before the peer is told to pause. */
    receiveHigh: MiB,
    sizesKept: 1024,
  },
  /** Staying connected, finding and announcing (design/network). */
  network: {
    connections: 40,
    connectionsServer: 2000,
    inboundShare: 0.6,
    outboundKept: 8,
    inboundPerSubnet: 8,
    /** A connection may be closed for another one when nothing came over it for so long. */
    evictIdle: 30 * second,
    handshakesPerSecond: 30,
    handshakesBurst: 60,
    handshakesPublicHost: 2,
    handshakesLanHost: 20,
    handshakeTime: 5 * second,
    hostsKept: 4096,
    /** yamux pings so often, both ways; a connection over which nothing came for `deadAfter` is gone. */
    pingEvery: minute,
    deadAfter: 130 * second,
    streamWindow: 4 * MiB,
    streamReadBuffer: 8 * MiB,
    connectionStreams: 256,
    /** Streams that a peer may open before our side has finished the handshake: at js-libp2p's 10, the 11th closes the connection. */
    earlyStreams: 64,
    housekeeping: 15 * second,
    duplicateGrace: 500,

    dialsHostEvery: 10 * second,
    dialMinPort: 1024,
    wrongIdentityKept: 24 * hour,
    addressBytes: 128,
    addressesPerPeer: 8,
    /** Peers in the peer store; the one not heard of for longest goes first. */
    peersKept: 10_000,
    /** Of addresses and peers in the peer store: longer than a provider record lives. */
    peerAge: 25 * hour,
    /** How often a peer's addresses are marked as seen anew: js-libp2p never does. */
    addressRefresh: hour,

    askedOthers: 8,
    askRoundTrips: 3,
    askTimeMin: 50,
    askTimeMax: 150,
    askMisses: 2,
    /** A deadline that fires so much too late says that this process was held up, not the peer. */
    askOwnDelay: 25,
    askSkipped: 10 * minute,
    negativeKept: 10 * minute,
    negatives: 16_384,
    nobodyKept: minute,
    nobodies: 4096,

    findProviders: 20,
    findPeers: 12,
    findDials: 4,
    findDialTime: 1.5 * second,
    findAskTime: second,
    deadProvider: 10 * minute,
    deadProviderMax: 6 * hour,
    deadProviders: 4096,

    announced: 2000,
    announceEvery: 2 * second,
    announceNewAfter: 10 * second,
    announceRefresh: 10 * hour,
    announceTime: minute,
    /** After a look-up that reached nobody, or while nothing may be announced. */
    announcePause: 30 * second,
    recordLife: 24 * hour,
    recordsPerPeer: 2000,
    recordsPerKey: 20,
    records: 200_000,
    recordSweep: hour,
    upkeepEvery: minute,

    remembered: 128,
    rememberedPerSubnet: 2,
    rememberedLan: 64,
    rememberedFresh: minute,
    rememberAfter: 10 * minute,
    forgetFailures: 5,
    forgetAfter: 7 * 24 * hour,

    reseedEvery: 45 * second,
    reseedFirst: 5 * second,
    reseedFewPeers: 4,
    reseedBootstrapEvery: 4,
    reseedDialTime: 10 * second,
    reseedLookUpTime: 30 * second,
    /** How long a dialled peer may take into the routing table before the look-up begins without it. */
    routedTime: 3 * second,
    wakeCheck: 5 * second,
    wakeJump: 30 * second,
    leaveBootstrapAt: 8,

    mdnsEvery: 120 * second,
    mdnsJitter: second,
    mdnsDialsPerMinute: 8,
    mdnsKept: 64,

    ban: 24 * hour,
    bans: 4096,
    dialableFor: hour,

    /** A thread of the network that ended begins anew after this, doubling with each that did not live as long as the longest. */
    threadPause: second,
    threadPauseMax: 5 * minute,
    /** Verdicts kept for the next thread. */
    threadVerdicts: 256,
  },
  store: {
    quota: 20e9,
    /** Making room frees down to this part of the quota, so that not every append has to. */
    lowWater: 0.97,
    /** File handles: shared by all readers of a blob; so many blobs open at once, so many kept open without a reader. */
    openFiles: 2048,
    idleFiles: 64,
    /** fsyncs at once: of the four threads that also read, two stay free. */
    parallelSyncs: 2,
    /** Read at once while hashing a file. */
    hashSlice: MiB,
    /** A partial's log has one checksum each so many bytes: what a kill can cost. */
    partialSegment: MiB,
    partialSweep: 10 * minute,
    /** Last uses are written together. */
    touchFlush: 5 * second,
    /** After a failed write the catalog is opened anew only with this much free. */
    reopenFreeBytes: 16 * MiB,
    /** Blobs not held that are remembered as public (private ones all are). */
    publicMarks: 10_000,
  },
} as const;
