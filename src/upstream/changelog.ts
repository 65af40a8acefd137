/**
 * PyPI's changelog over XML-RPC, for mirrors: beside the simple index at `../pypi`. Only the little of XML-RPC that these
 * two calls answer with is understood; anything else is an UpstreamError, never "nothing changed".
 */
import type { Clock } from '../core/clock.ts';
import { UpstreamError } from '../core/errors.ts';
import { limits } from '../core/limits.ts';
import type { Calls } from './calls.ts';
import { readBody } from './decode-body.ts';
import type { HttpAnswer, HttpClient } from './http-client.ts';
import { parseRetryAfter } from './retry-after.ts';
import type { Changelog, ChangelogEvent } from './upstream.ts';
import { readXmlRpc, type XmlRpcValue } from './xml-rpc.ts';

export function createChangelog(deps: {
  /** The simple index; the call's URL is made from it. */
  readonly index: URL;
  readonly send: HttpClient;
  readonly userAgent: string;
  readonly clock: Clock;
  readonly calls: Pick<Calls, 'begin'>;
}): Changelog {
  const { send, clock, calls } = deps;
  const url = new URL('../pypi', deps.index);

  async function ask(
    method: string,
    params: readonly number[],
    parent: AbortSignal | undefined,
  ): Promise<{ value: XmlRpcValue; observedAt: number }> {
    using call = calls.begin(url.href, parent, limits.upstream.pageTime);
    await using answer = await send({
      url,
      method: 'POST',
      headers: {
        'user-agent': deps.userAgent,
        accept: 'text/xml',
        'accept-encoding': 'gzip',
        'content-type': 'text/xml',
      },
      body: requestOf(method, params),
      kind: 'quick',
      signal: call.signal,
    });
    if (answer.status !== 200) throw refused(answer, `answered ${answer.status}`);
    const body = await readBody(answer, limits.publish.changelog);
    const value = readXmlRpc(body.toString('utf8'));
    if (value === undefined) throw refused(answer, `answered ${method} with no XML-RPC value`);
    return { value, observedAt: answer.sentAt };
  }

  function refused(answer: HttpAnswer, what: string): UpstreamError {
    const { status } = answer;
    const retryAfter = parseRetryAfter(answer.header('retry-after'), clock.now());
    return new UpstreamError({ url: url.href, status, retryAfter }, `${url.href} ${what}`);
  }

  return {
    async lastSerial({ signal } = {}) {
      const { value, observedAt } = await ask('changelog_last_serial', [], signal);
      if (!isSerial(value)) throw new UpstreamError({ url: url.href }, `${url.href} gave no serial`);
      return { serial: value, observedAt };
    },
    async since(serial, { signal } = {}) {
      const { value } = await ask('changelog_since_serial', [serial], signal);
      const events = Array.isArray(value) ? value.map(readEvent) : [undefined];
      if (events.includes(undefined))
        throw new UpstreamError({ url: url.href }, `${url.href} gave events that cannot be read`);
      return (events as ChangelogEvent[]).sort((left, right) => left.serial - right.serial);
    },
  };
}

/** [name, version, timestamp, action, serial] */
function readEvent(value: XmlRpcValue): ChangelogEvent | undefined {
  if (!Array.isArray(value) || value.length !== 5) return undefined;
  const [name, , , , serial] = value as readonly XmlRpcValue[];
  return typeof name === 'string' && isSerial(serial) ? { name, serial } : undefined;
}

function isSerial(value: XmlRpcValue | undefined): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function requestOf(method: string, params: readonly number[]): string {
  const values = params.map((param) => `<param><value><int>${param}</int></value></param>`).join('');
  return `<?xml version="1.0"?><methodCall><methodName>${method}</methodName><params>${values}</params></methodCall>`;
}
