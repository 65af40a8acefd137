/** PyPI's XML-RPC changelog, as far as mirrors ask for it. */
import type { Content, FakeEvent } from './content.ts';
import { type Exchange, send } from './respond.ts';

export function createChangelogAnswers(content: Content): (exchange: Exchange) => Promise<void> {
  return async (exchange) => {
    const chunks: Buffer[] = [];
    for await (const chunk of exchange.request) chunks.push(chunk as Buffer);
    const call = Buffer.concat(chunks).toString();
    const since = Number(/<int>(\d+)<\/int>/.exec(call)?.[1]);
    const value = call.includes('changelog_last_serial')
      ? `<int>${content.serial()}</int>`
      : `<array><data>${content
          .events()
          .filter(({ serial }) => serial > since)
          .map(eventOf)
          .join('\n')}</data></array>`;
    const text = `<?xml version='1.0'?>\n<methodResponse>\n<params>\n<param>\n<value>${value}</value>\n</param>\n</params>\n</methodResponse>\n`;
    await send(exchange, 200, { 'content-type': 'text/xml; charset=utf-8' }, Buffer.from(text));
  };
}

function eventOf({ name, action, serial }: FakeEvent): string {
  return `<value><array><data>
<value><string>${name}</string></value>
<value><nil/></value>
<value><int>1795305600</int></value>
<value><string>${action}</string></value>
<value><int>${serial}</int></value>
</data></array></value>`;
}
