/**
 * PyPI, or another mirror with a simple index, over HTTP. What it says is passed on only when it is surely an answer to
 * what was asked: everything else is an UpstreamError, never absence and never a short page or file.
 */
import type { Dispatcher } from 'undici';
import type { Clock, Randomness } from '../core/clock.ts';
import { ConfigurationError, UpstreamError } from '../core/errors.ts';
import type { FactEmitter } from '../core/facts.ts';
import { limits as usual } from '../core/limits.ts';
import { createAsk } from './ask.ts';
import { createCalls } from './calls.ts';
import { createChangelog } from './changelog.ts';
import { type ConnectionOptions, createConnections } from './dispatcher.ts';
import { createHttpClient } from './http-client.ts';
import { readFile, readFileInfo } from './read-file.ts';
import { readPage, readProjectList } from './read-page.ts';
import type { ConditionalListAnswer, PageValidators, Upstream } from './upstream.ts';
import type { UpstreamLimits } from './upstream-limits.ts';
import { createUpstreamState } from './upstream-state.ts';

export interface PypiUpstreamOptions {
  /** Of the simple index; a slash at its end is added. */
  readonly url: string;
  /** What it gives is private without credentials too. */
  readonly private?: boolean;
  readonly credentials?: { readonly user: string; readonly password: string } | undefined;
  readonly proxy?: ConnectionOptions['proxy'];
  readonly caFiles?: readonly string[];
  /** Names the program: `fondue-mirror/1.0.0 (...)`. */
  readonly userAgent: string;
  readonly clock: Clock;
  readonly randomness: Randomness;
  readonly facts?: Pick<FactEmitter, 'emit'>;
  readonly limits?: Partial<UpstreamLimits>;
  /** Instead of connections made from `proxy` and `caFiles`; the caller closes it. */
  readonly dispatcher?: Dispatcher;
}

/** @throws ConfigurationError for a URL, proxy or CA file that cannot be used. */
export function createPypiUpstream(options: PypiUpstreamOptions): Upstream {
  const { clock, randomness, credentials, userAgent, facts } = options;
  const limits: UpstreamLimits = { ...usual.upstream, ...options.limits };
  const index = indexUrl(options.url);
  const connections = options.dispatcher
    ? undefined
    : createConnections({
        proxy: options.proxy ?? { https: undefined, http: undefined, no: undefined },
        caFiles: options.caFiles ?? [],
        limits,
      });
  const state = createUpstreamState(index.href, clock, facts);
  const send = createHttpClient({
    dispatcherFor: (url) => options.dispatcher ?? connections!.for(url),
    clock,
    limits,
    sent: () => state.requestSent(),
  });
  const ask = createAsk({ send, upstream: index, credentials, userAgent, clock, randomness, limits });
  const calls = createCalls(clock);
  const pageUrl = (project: string): URL => new URL(`${project}/`, index);

  /** Does `work` and notes how it went; a caller that went away says nothing of the upstream, unless it waited long. */
  async function noted<T>(signal: AbortSignal | undefined, ofIndex: boolean, work: Promise<T>): Promise<T> {
    const begun = clock.monotonic();
    try {
      const answer = await work;
      if (ofIndex) state.succeeded();
      return answer;
    } catch (error) {
      const left = signal?.aborted && error === signal.reason;
      const waited = clock.monotonic() - begun;
      if (!left) state.failed(error, ofIndex);
      else if (waited >= limits.connectTime) {
        state.failed(new Error(`${index.href} gave no answer in ${Math.floor(waited / 1000)} s`), ofIndex);
      }
      throw error;
    }
  }

  async function list(
    validators: PageValidators,
    signal: AbortSignal | undefined,
  ): Promise<ConditionalListAnswer> {
    using setup = new DisposableStack();
    const call = setup.use(calls.begin(index.href, signal));
    const answer = await noted(signal, true, readProjectList(ask, index, call.signal, validators));
    if (answer.kind === 'not-modified') state.notModified();
    if (answer.kind !== 'list') return answer;
    setup.move();
    return { ...answer, body: call.untilReadFrom(answer.body) };
  }

  return {
    private: credentials !== undefined || options.private === true,
    pageUrl: (project) => pageUrl(project).href,
    async page(project, { validators, noCache = false, signal } = {}) {
      const url = pageUrl(project);
      using call = calls.begin(url.href, signal, limits.pageTime);
      const request = { project, validators, noCache, signal: call.signal };
      const answer = await noted(signal, true, readPage(ask, url, request));
      if (answer.kind === 'not-modified') state.notModified();
      return answer;
    },
    async projectList({ signal } = {}) {
      const answer = await list({}, signal);
      return answer.kind === 'list' ? answer : undefined;
    },
    projectListIfChanged: (validators, { signal } = {}) => list(validators, signal),
    changelog: createChangelog({ index, send, userAgent, clock, calls }),
    async file(url, request = {}) {
      const { signal } = request;
      using setup = new DisposableStack();
      const call = setup.use(calls.begin(url, signal));
      const file = await noted(signal, false, readFile(ask, parsed(url), request, call.signal));
      if (!file) return undefined;
      const { size, offset, etag } = file;
      setup.move();
      return {
        size,
        offset,
        etag,
        body: call.untilReadFrom(file.body),
        async [Symbol.asyncDispose]() {
          call[Symbol.dispose]();
          await file[Symbol.asyncDispose]();
        },
      };
    },
    async fileInfo(url, { signal } = {}) {
      using call = calls.begin(url, signal);
      return await noted(signal, false, readFileInfo(ask, parsed(url), call.signal));
    },
    status: () => state.status(),
    async [Symbol.asyncDispose]() {
      calls.close();
      await connections?.destroy();
    },
  };
}

function parsed(url: string): URL {
  if (URL.canParse(url)) return new URL(url);
  throw new UpstreamError({ url }, `"${url.slice(0, 200)}" is no URL`);
}

function indexUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url && /^https?:$/.test(url.protocol)) {
    if (!url.pathname.endsWith('/')) url.pathname += '/';
    url.username = '';
    url.password = '';
    url.search = '';
    url.hash = '';
    return url;
  }
  throw new ConfigurationError(
    'usage',
    `the upstream "${text.slice(0, 200)}" is not an http or https URL`,
    'give the URL of a simple index, such as https://pypi.org/simple/',
  );
}
