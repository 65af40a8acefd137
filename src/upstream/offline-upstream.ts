/** `--offline`: nothing ever leaves for the upstream; each call fails at once. */
import { UpstreamError } from '../core/errors.ts';
import type { Upstream } from './upstream.ts';

/** `url`: the index that was mirrored, for page URLs and the status; with a trailing slash. */
export function createOfflineUpstream(url: string, options: { private: boolean }): Upstream {
  const pageUrl = (project: string): string => new URL(`${project}/`, url).href;
  return {
    private: options.private,
    pageUrl,
    page: (project) => refuse(pageUrl(project)),
    projectList: () => refuse(url),
    file: (asked) => refuse(asked),
    fileInfo: (asked) => refuse(asked),
    status: () => ({
      url,
      state: 'off',
      lastSuccessAt: undefined,
      lastError: undefined,
      requests: 0,
      notModified: 0,
    }),
    async [Symbol.asyncDispose]() {},
  };
}

function refuse(url: string): Promise<never> {
  return Promise.reject(
    new UpstreamError({ url }, `${url} was not asked for: this node is offline (--offline)`),
  );
}
