/**
 * A node's gateway as the source of an export: the same pages and files that pip gets, so the same rules hold. "Not now" is
 * asked again a few times; "no such project" is believed as the gateway says it.
 */
import { Agent, type Dispatcher } from 'undici';
import { sleep, type Clock } from '../../core/clock.ts';
import { InvalidContentError, UnavailableError } from '../../core/errors.ts';
import { limits } from '../../core/limits.ts';
import type { ProjectFile } from '../../core/project-page.ts';
import { readListJson } from '../../core/read-list-json.ts';
import { readPageJson } from '../../core/read-page-json.ts';
import { collect } from '../read-fully.ts';
import type { ExportSource } from './export-source.ts';

const JSON_TYPE = 'application/vnd.pypi.simple.v1+json';

/** @param gateway such as `http://127.0.0.1:8381` */
export function createGatewaySource(
  gateway: string,
  { clock, signal }: { clock: Clock; signal?: AbortSignal | undefined },
): ExportSource {
  const { attempts, connections, timeout } = limits.export;
  const agent = new Agent({ connections, headersTimeout: timeout, bodyTimeout: timeout });

  async function ask(url: string, accept = '*/*'): Promise<Dispatcher.ResponseData> {
    const { origin, pathname } = new URL(url);
    for (let attempt = 1; ; attempt++) {
      const answer = await agent.request({
        origin,
        path: pathname,
        method: 'GET',
        headers: { accept, 'user-agent': 'fondue-export' },
        signal: signal ?? null,
      });
      if (answer.statusCode === 200) return answer;
      if (answer.statusCode === 404 || answer.statusCode === 410) return answer;
      const reason = (await answer.body.text()).trim().slice(0, 300);
      if (answer.statusCode !== 503 || attempt === attempts)
        throw new UnavailableError(reason === '' ? `${url}: ${answer.statusCode}` : reason);
      const seconds = Number(answer.headers['retry-after'] ?? 1);
      await sleep(clock, 1000 * Math.min(30, Number.isFinite(seconds) ? seconds : 1), signal);
    }
  }

  /** Undefined for what is not there. */
  async function read(
    url: string,
    limit: number,
    accept?: string,
  ): Promise<{ body: Uint8Array } | undefined> {
    const { statusCode, body } = await ask(url, accept);
    if (statusCode === 200) return { body: await collect(body, limit, url) };
    await body.dump();
    return undefined;
  }

  return {
    async *names() {
      const { statusCode, body } = await ask(`${gateway}/simple/`, JSON_TYPE);
      if (statusCode !== 200) throw new UnavailableError(`${gateway}/simple/ is not there`);
      let ended = false;
      for await (const part of readListJson(body as AsyncIterable<Uint8Array>)) {
        if (part.kind === 'end') ended = true;
        else for (const { name } of part.entries) yield name;
      }
      if (!ended) throw new InvalidContentError('the list of projects has no end');
    },
    async page(project) {
      const url = `${gateway}/simple/${project}/`;
      const found = await read(url, limits.page.decodedBytes, JSON_TYPE);
      return found === undefined ? 'absent' : readPageJson(found.body, { url, project });
    },
    async file({ url, filename }) {
      const { statusCode, body } = await ask(url);
      if (statusCode === 200) return body as AsyncIterable<Uint8Array>;
      await body.dump();
      throw new UnavailableError(`${filename}: the gateway has its page and not the file`);
    },
    async metadata({ url }: ProjectFile) {
      return (await read(`${url}.metadata`, limits.file.metadataBytes))?.body;
    },
    [Symbol.asyncDispose]: () => agent.destroy(),
  };
}
