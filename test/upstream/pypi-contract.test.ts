import { upstreamContract } from '../contracts/upstream.ts';
import { startPypi, wheel } from './pypi-context.ts';

for (const [name, options] of [
  ['a PyPI', {}],
  ['a company mirror: API 1.1, no ETag, no gzip, relative URLs', COMPANY()],
  ['HTML only', { format: 'html' }],
] as const) {
  upstreamContract(name, async () => {
    const context = await startPypi(options);
    return {
      upstream: context.upstream,
      file: { url: context.url, sha256: wheel.sha256, size: wheel.size },
      goAway: () => context.pypi.down(),
      [Symbol.asyncDispose]: () => context[Symbol.asyncDispose](),
    };
  });
}

function COMPANY() {
  return {
    apiVersion: '1.1',
    etag: false,
    lastModified: true,
    gzip: false,
    serial: false,
    coreMetadata: 'none',
    fileUrls: 'path',
  } as const;
}
