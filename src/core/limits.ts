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
    /** Answers to pages in one piece, head and body: for the hottest only, the bodies are in `pageCache` too. */
    warmAnswers: 8 * MiB,
    /** Larger bodies follow their head in a piece of their own. */
    warmJoined: 64 * KiB,
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
    /**
     * Requests in flight to one origin; whole files may take `bulk` of them, so that pages always find room. uv asks for
     * all pages of an install and for 50 files at once: with 12 of 87 files each wave costs the upstream's round trip.
     */
    parallel: 64,
    bulk: 48,
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
  /** What the catalog forgets (mirror/forget-old.ts): in batches, with a pause after each. */
  catalog: {
    pageKept: 90 * 24 * hour,
    sweepFirst: hour,
    sweepEvery: 24 * hour,
    sweepBatch: 1000,
    sweepPause: 200,
  },
  /** `compress`: how long a client waits for the list's compressed form, which is made once, in 3 to 5 s. */
  list: {
    entryBytes: 64 * KiB,
    tagBytes: 256 * KiB,
    restBytes: 64 * KiB,
    fetch: 10 * minute,
    compress: 8 * second,
  },
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
    /** An upstream that gives nothing for so long is in trouble: providers are looked up, whatever the size. */
    silence: 2 * second,
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
    /** They are written so much at once; written ones stay in memory up to so much, for readers that keep up; so many chunks. */
    writeAtOnce: 256 * KiB,
    freshRoom: MiB,
    chunksKept: 64,
    /** Memory of all flights: what strangers sent, units that arrived early, windows of pass-through. */
    memory: 64 * MiB,
    passThroughWindow: 4 * MiB,
    passThroughLeast: 256 * KiB,
    /** A reader that keeps a full window waiting this long is left behind. */
    laggard: 5 * second,
    attemptsTold: 8,
    warmParallel: 4,
    /** How long a file that is fetched ahead may bring nothing; while the upstream cannot be reached peers alone have this long. */
    aheadWait: minute,
    aheadWaitPeers: 12 * second,
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
    /** BUSY and ERROR to a peer: beyond these it waits for them. */
    refusalRate: 64,
    refusalBurst: 1024,
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
    /** A turn is over after this too: a reader that is just not too slow would keep its place for 20 minutes. */
    turnTime: 10 * second,
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
    /** With fewer peers than this the network is walked for more. */
    connectionsWanted: 16,
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
    /** Two connections to a peer are left alone for so long: one that dials back is closed before. */
    duplicateAge: 6 * second,

    dialsHostEvery: 10 * second,
    dialMinPort: 1024,
    wrongIdentityKept: 24 * hour,
    addressBytes: 128,
    /** Texts of addresses whose meaning is kept. */
    addressesRead: 4096,
    addressesPerPeer: 8,
    /** Peers in the peer store; the one not heard of for longest goes first. */
    peersKept: 10_000,
    /** Of addresses and peers in the peer store: longer than a provider record lives. */
    peerAge: 25 * hour,
    /** How often a peer's addresses are marked as seen anew: js-libp2p never does. */
    addressRefresh: hour,
    /** How long a peer's protocols and addresses that were merged are not merged again, of how many peers, and how many each. */
    mergedKept: 10 * minute,
    peersMerged: 1000,
    mergedParts: 64,

    askedOthers: 8,
    /** With more peers than this a newcomer's control stream is opened when it is first asked. */
    prepared: 40,
    askRoundTrips: 3,
    askTimeMin: 50,
    askTimeMax: 150,
    askMisses: 2,
    /** A deadline that fires so much too late says that this process was held up, not the peer. */
    askOwnDelay: 25,
    askSkipped: 10 * minute,
    /** So many yeses in a row, the last within this time, and a peer is taken at its word: GET without HAVE. */
    askLikely: 8,
    askLikelyFor: minute,
    negativeKept: 10 * minute,
    /** While nobody else gives the blob a "no" is believed only so long: less than the first pause between two rounds. */
    negativeInNeed: 0.5 * second,
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
    /** Of one of them: so many different sets of addresses. */
    deadProviderPlaces: 8,

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
    /** Rounds without a look-up after one that brought nobody: doubling to this, with few peers and with more. */
    reseedRestFew: 4,
    reseedRest: 16,
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

    /** Dialling back who dialled us, so that it learns whether it can be dialled: seldom, strangers decide on it. */
    dialBackEvery: 3 * second,
    dialBackTime: 5 * second,
    dialBackAgain: hour,
    /** Whom we reached: before `dialableFor` is over there. */
    dialBackRenew: 45 * minute,
    dialBacksAtOnce: 2,
    dialBackWindow: minute,
    dialBacksPerWindow: 6,
    /** Of one /24 (/48), in `dialBackAgain`. */
    dialBacksPerSubnet: 4,

    /** A thread of the network that ended begins anew after this, doubling with each that did not live as long as the longest. */
    threadPause: second,
    threadPauseMax: 5 * minute,
    /** Verdicts kept for the next thread. */
    threadVerdicts: 256,
    /** A status that is asked for waits so long for the thread's newest; then what is known has to do. */
    threadStatusTime: 0.2 * second,
  },
  /** The signed index's map on the wire and on disk (design/index, "Index map"). */
  indexMap: {
    /** CBOR of a bin; as a blob it has one byte more. The real ones have at most 2 KiB. */
    binBytes: 64 * KiB,
    deltaBytes: MiB,
    /** Bins in memory, verified. */
    cacheBytes: 8 * MiB,
    /** Changed bins of one change in memory; more wait in the overlay file. */
    stagedBytes: 16 * MiB,
    /** Bins read at once for one change, and bytes read at once while going through a base. */
    parallelReads: 16,
    readAhead: MiB,
    /** A new base is written when this share of the bins differs from it, or the overlay file has this many bytes. */
    overlayShare: 0.25,
    overlayBytes: 128 * MiB,
    /** With a join under way that keeps the overlay file from being compacted. */
    overlayBytesMax: 5 * GiB,
    views: 64,
  },
  /** Publishers' logs (design/index, "Record and log"). */
  log: {
    noteBytes: 64 * KiB,
    signatures: 100,
    /** tlog-cosignature has one byte for the length of a name. */
    keyNameBytes: 255,
    /** A log's own checkpoint, with one signature or two; a stranger's cosignatures may take a note to `noteBytes`. */
    checkpointBytes: 4 * KiB,
    /** Two records, two checkpoints and their proofs must fit into one message of misconduct. */
    recordBytes: 24 * KiB,
    urlBytes: KiB,
    /** More than these are all ignored. */
    retractions: 32,
    reasonBytes: 200,
    announcementBytes: 64 * KiB,
    headValueBytes: 8 * KiB,
    misconductBytes: 64 * KiB,
    keyFileBytes: 4 * KiB,
    policyBytes: 256 * KiB,
    /** A file of `fondue index prove`; most of it can only be lists of names. */
    nameProofBytes: 64 * MiB,
    /** tlog-policy asks for at least 32 logs, witnesses and groups. */
    policyItems: 256,
  },
  /** What peers say to each other about the signed index (design/index, "How it travels"). */
  indexChannel: {
    requestBytes: 64 * KiB,
    /** An answer's default limit: a map of 886,324 names is 60 to 70 MB. */
    answerBytes: 256 * MiB,
    errorTextBytes: 200,
    /** From the opening of the stream to the end of its request. */
    requestTime: 5 * second,
    /** No byte of an answer for this long: our handler's, and a peer's. */
    handlerIdle: 30 * second,
    answerIdle: 40 * second,
    openTime: 10 * second,
    slowReaderBytes: 64 * KiB,
    slowReaderTime: 20 * second,
    /** A small piece of an answer waits at most this long for company. */
    flushAfter: 20,
    answersPerPeer: 4,
    answers: 32,
    requestRate: 16,
    requestBurst: 128,
    busyRetry: 500,
    /** Streams that a peer may have open to us; requests of all peers that are being received, and of one. */
    streamsPerConnection: 16,
    receivedBytes: 8 * MiB,
    receivedBytesPerPeer: 256 * KiB,
    violationBan: hour,
    peersKept: 4096,

    messageBytes: 64 * KiB,
    /** One RPC of gossipsub: an answer to IWANT holds several messages. */
    rpcBytes: 256 * KiB,
    /** Unsent bytes to one slow peer. */
    outboundBytes: MiB,
    messageRate: 50,
    messageBurst: 500,
    validations: 256,
    validationsPerPeer: 32,
    validationBytes: 4 * MiB,
    validationTime: 5 * second,
    /** So many rejected messages within the time, and the peer is left and kept out for an hour. */
    rejects: 5,
    rejectsWithin: hour,
    rejectBan: hour,
    heartbeat: second,
    /** With at most so many listeners our own messages go to all of them at once. */
    floodPeers: 8,
    gossipMend: 5 * second,

    valueBytes: 8 * KiB,
    /** Values that others keep with us; one that was put anew within `valueFresh` stays. */
    values: 64,
    valueFresh: hour,
    valueTime: minute,
  },
  /** What a node believes of the signed index (design/index). */
  belief: {
    /** Votes of the past that are remembered. */
    votes: { perName: 4, perVoter: 50_000 },
    /** So far ahead of this node's clock a record may be without being deferred. */
    clockSlack: 10 * second,
    fresh: 10 * minute,
    /** A page whose age is greater is refused unless the user allows it. */
    served: 24 * hour,
    /** How long a page read in direct mode stands in for a quorum that has not reached its serial. */
    bridge: 24 * hour,
    /** A record's serial so far above the k-th highest is told of. */
    serialLeap: 1_000_000,
    /** Subjects that one voter may retract at once, and within `retractAgain`; how long one is in force. */
    retractions: 32,
    retractedSubjects: 4096,
    retractionLife: 24 * hour,
    retractAgain: 7 * 24 * hour,
    /** How long a key still signs beside the successor that it named. */
    rotation: 7 * 24 * hour,
    /** Of one key of the policy, one after the other: each is remembered. */
    successors: 64,
    /** How often a voter's scope or completeness may change before the others have read as late; a scope of so many names counts once more. */
    groundChanges: 8,
    scopeNames: 65_536,
  },
  /** Writing a static mirror through a gateway. */
  export: {
    projectsAtOnce: 4,
    filesAtOnce: 4,
    connections: 16,
    /** A project that cannot be had now is asked for so often. */
    attempts: 3,
    timeout: 2 * minute,
  },
  /** Pages and the list as believed (mirror/believed). */
  believed: {
    pageFlight: minute,
    /** The page before is served, as old as it is, while the believed one cannot be had, for so long after that was first seen. */
    pageBefore: minute,
    /** After this, retractions are looked at again although nothing new was heard: they end by time. */
    recheck: 5 * second,
    /** This node reads a page again to vote for it at most so often. */
    readGap: minute,
    /** The list of all projects is made again at most so often, and takes at most this share of the time. */
    listEvery: minute,
    listShare: 0.05,
    /** The log tells so often that pages are served past their time. */
    agedTold: 10 * minute,
  },
  /** A publisher's manners towards the upstream, and its records (design/index, "Record and log"). */
  publish: {
    interval: minute,
    /** Requests at once, and begun within any second. */
    parallel: 10,
    perSecond: 20,
    /** What an upstream that asks to be left alone gets: after 429, and after 503 (then that page alone waits longer). */
    restMax: hour,
    restOfOne: minute,
    /** After so many failures in a row nothing but the list is asked for until the next look. */
    failuresInRow: 10,
    /** The list of all projects: on top of a changelog, or without one where it is larger than `cheapListBytes`. */
    listWithChangelog: 10 * minute,
    listAlone: 5 * minute,
    cheapListBytes: 256 * KiB,
    /** A list that lost more than this share of its names, and more than a few, is no list. */
    listLoss: 0.01,
    listLossFew: 8,
    changelog: { encodedBytes: 32 * MiB, decodedBytes: 64 * MiB },
    /** An upstream without a changelog is asked for one again after this. */
    changelogProbe: hour,
    changelogCalls: 20,
    /** A page that is older than announced, or cannot be read, is read again after this, doubling. */
    retryFirst: 2 * second,
    retryMax: hour,
    /** A project that the list lacks and whose page is there (quarantine), or the other way round, is looked at again after this. */
    missingRecheck: 10 * minute,
    /** Pages of a round that one look may ask for where nothing has serials and everything is published. */
    roundPages: 600,
    sweep: 7 * 24 * hour,
    /** Of the sweep, what was missed is made up for so far back. */
    sweepBehind: hour,
    recordGap: 5 * second,
    recordEvery: minute,
    /** A heartbeat waits so long for a look that is under way. */
    heartbeatGrace: 10 * second,
    hintsPerMinute: 60,
    hintPublishers: 256,
    hintRetry: second,
    /** How long a page stays pinned once the map has another one. */
    pagesKept: 48 * hour,
    leavesKept: 16,
    deltasKept: 25 * hour,
    dhtEvery: 15 * minute,
    /** How long peers are asked for heads of this very log before the first record after a start. */
    ownHeadTime: 5 * second,
  },
  /** A follower of publishers (mirror/follow). */
  follow: {
    antiEntropyEvery: 30 * second,
    /** Of that, what chance adds or takes. */
    antiEntropyJitter: 0.2,
    /** Gossiped heads of one origin that come sooner are not passed on. */
    gossipGap: 5 * second,
    dhtEvery: 15 * minute,
    /** The policy's file is looked at this often. */
    policyEvery: 10 * second,
    /** An announcement and a map proof. */
    bundleBytes: 160 * KiB,
    /** Of one answer, and past bundles that are kept to be given. */
    bundles: 64,
    bundlesKept: 4096,
    /** Of past bundles: an ordinary one has some 6 KiB, one whose publisher makes it as large as it can 90. */
    bundlesKeptBytes: 16 * MiB,
    bundleTime: 5 * second,
    /** A bin for which peers had no bundles is not asked for again before this. */
    bundleRecheck: 10 * second,
    /** A scope or `stale` set. */
    namesBytes: 32 * MiB,
    /** Records and deltas of a voter are kept this long for others; a follower further behind compares leaf hashes. */
    recordsKept: 25 * hour,
    /** Of them so many bytes a voter: a day of PyPI is some 4 MB. */
    recordBytesKept: 64 * MiB,
    rangeRecords: 20_000,
    /** Of a log since it was joined, 32 bytes each: two years of one a minute. Then a proof, and it is joined anew. */
    tailLeaves: 1_048_576,
    /** Of a range's records, and of deltas that are held at once: beyond these a proof, and the leaf hashes, take less. */
    rangeBytes: 16 * MiB,
    deltaBytes: 4 * MiB,
    /** Of deltas that are applied together; with more, those of one publisher come after those of another. */
    alongsideBytes: MiB,
    /** A map in which so many bins are others waits so long for the other publishers to be read as late (about 160,000 names). */
    largeBins: 60_000,
    largeWait: 2 * minute,
    /** Leaf hashes of so many past records can be made and given. */
    leavesKept: 16,
    /** A head whose records cannot be had is tried again after this, doubling up to the longest. */
    retryFirst: 500,
    retryMax: 30 * second,
    /** No byte of an answer for this long: another peer is asked beside it. */
    answerPatience: second,
    /** No byte for this long: it is given up. */
    answerFirst: 5 * second,
    /** After that, no part of it for this long. */
    answerIdle: 20 * second,
    /** A peer that sent what cannot be right is not asked for so long. */
    faultPause: 10 * minute,
    /** A peer that broke off or stopped answering is asked after the others. */
    failedFor: minute,
    faultsKept: 1024,
    headsKept: 256,
    misconductKept: 64,
    /** For one peer's share of a whole map, before another is asked for the rest. */
    mapTime: 2 * minute,
    /** Bins that are checked and written at once. */
    binsAtOnce: 1024,
    alarmsKept: 64,
    /** The highest time seen is written down this often. */
    timeKept: minute,
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
    /** A partial's log has one proof each so many bytes; its lines are written so many at once, or after this time. A kill costs no more. */
    partialSegment: MiB,
    partialLogLines: 4,
    partialLogEvery: 0.1 * second,
    partialSweep: 10 * minute,
    /** A partial that will be no larger is gathered in memory, as long as all of those take no more than this. */
    gatherMost: 256 * KiB,
    gatherBytes: 32 * MiB,
    /** Last uses are written together. */
    touchFlush: 5 * second,
    /** After a failed write the catalog is opened anew only with this much free. */
    reopenFreeBytes: 16 * MiB,
    /** Blobs not held that are remembered as public (private ones all are). */
    publicMarks: 10_000,
  },
  scenario: {
    fileBytes: MiB,
    nodes: 100_000,
    runs: 10_000,
    /** Of a sweep. */
    points: 10_000,
    /** Virtual, warm-up included. */
    time: 30 * 24 * hour,
    /** Up and down of a flaky link: shorter ones make more events than meaning. */
    shortestFlap: 100,
    /** Runs times nodes whose groups are tried before the first run. */
    triedPlacements: 50_000,
    /** What counts as reached was held this long. */
    hold: 30 * second,
    /** The least that is simulated after the warm-up when the scenario does not say. */
    shortestWindow: 10 * minute,
    /** Time after the last fault when no assert says. */
    windowAfterFaults: 5 * minute,
  },
} as const;
