/** The changelog over XML-RPC, and a list that is asked for only if it changed. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { UpstreamError } from '../../src/core/errors.ts';
import { readXmlRpc } from '../../src/upstream/xml-rpc.ts';
import type { Changelog } from '../../src/upstream/upstream.ts';
import { makeWheel } from '../support/fake-pypi/wheel.ts';
import { bytesOf, type PypiContext, startPypi } from './pypi-context.ts';

function changelogOf({ upstream }: PypiContext): Changelog {
  assert.ok(upstream.changelog);
  return upstream.changelog;
}

const answer = (value: string): string =>
  `<?xml version='1.0'?>\n<methodResponse><params><param>${value}</param></params></methodResponse>\n`;

describe('the changelog', () => {
  it('tells the last serial, and what changed after one', async () => {
    await using context = await startPypi({ changelog: true });
    const changelog = changelogOf(context);
    const before = await changelog.lastSerial();
    assert.ok(Math.abs(before.observedAt - Date.now()) < 10_000);
    assert.deepEqual(await changelog.since(before.serial), []);
    context.pypi.addFile(makeWheel({ name: 'Other.Thing', version: '1.0' }));
    context.pypi.removeProject('thing');
    const after = await changelog.lastSerial();
    assert.equal(after.serial, before.serial + 2);
    assert.deepEqual(await changelog.since(before.serial), [
      { name: 'other-thing', serial: before.serial + 1 },
      { name: 'thing', serial: before.serial + 2 },
    ]);
  });

  it('is an error with its status where there is none', async () => {
    await using context = await startPypi();
    await assert.rejects(changelogOf(context).lastSerial(), (error: unknown) => {
      assert.ok(error instanceof UpstreamError);
      return error.status === 404 || error.status === 405;
    });
  });

  it('says when to ask again, and is not asked a second time by itself', async () => {
    await using context = await startPypi({ changelog: true });
    context.pypi.fault({ what: 'changelog' }, { kind: 'status', status: 503, retryAfter: 30 });
    await assert.rejects(changelogOf(context).lastSerial(), (error: unknown) => {
      assert.ok(error instanceof UpstreamError);
      return error.status === 503 && error.retryAfter === 30_000;
    });
    assert.equal(context.pypi.requestsFor('/pypi').length, 1);
  });

  it('that answers with anything else is an error, never "nothing changed"', async () => {
    await using context = await startPypi({ changelog: true });
    const bodies = [
      '',
      '<html></html>',
      '<?xml version="1.0"?><methodResponse><fault><value><string>no</string></value></fault></methodResponse>',
      answer('<value><array><data>'),
      answer('<value><string>5</string></value>'),
      answer('<value><array><data><value><int>1</int></value></data></array></value>'),
      answer('<value><array><data></data></array></value>').slice(0, -20),
    ];
    for (const body of bodies) {
      const clear = context.pypi.fault({ what: 'changelog' }, { kind: 'body', body, type: 'text/xml' });
      await assert.rejects(changelogOf(context).since(5), UpstreamError, body);
      await assert.rejects(changelogOf(context).lastSerial(), UpstreamError, body);
      clear();
    }
  });
});

describe('XML-RPC', () => {
  it('is read as it is written, with and without types, white space and entities', () => {
    const cases: [string, unknown][] = [
      ['<value><int>42</int></value>', 42],
      ['<value>\n <i8>-7</i8>\n</value>', -7],
      ['<value>plain</value>', 'plain'],
      ['<value><string>a &amp; b &lt;c&gt; &#x41;&#66;</string></value>', 'a & b <c> AB'],
      ['<value><nil/></value>', null],
      ['<value><array><data/></array></value>', []],
      [
        '<value><array><data><value><int>1</int></value>\n<value><string/></value></data></array></value>',
        [1, ''],
      ],
    ];
    for (const [text, value] of cases) assert.deepEqual(readXmlRpc(answer(text)), value, text);
  });

  it('that is cut anywhere, or nests without end, is not read', () => {
    const whole = answer('<value><array><data><value><int>12</int></value></data></array></value>').trimEnd();
    for (let length = 0; length < whole.length; length++)
      assert.equal(readXmlRpc(whole.slice(0, length)), undefined, String(length));
    const deep = '<value><array><data>'.repeat(10_000);
    assert.equal(readXmlRpc(answer(deep)), undefined);
  });

  it('of anything at all neither throws nor hangs', () => {
    const pieces = fc.constantFrom(
      '<value>',
      '</value>',
      '<int>',
      '</int>',
      '<array>',
      '<data>',
      '</data>',
      '&#x110000;',
      '&',
      '<',
      '1',
      ' ',
    );
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 40 }), (parts) => {
        readXmlRpc(answer(parts.join('')));
      }),
      { verbose: true },
    );
  });
});

describe('the list of all projects, asked for if it changed', () => {
  it('is not sent again while it is as it was', async () => {
    await using context = await startPypi();
    const { upstream } = context;
    assert.ok(upstream.projectListIfChanged);
    const first = await upstream.projectListIfChanged({});
    assert.equal(first.kind, 'list');
    await bytesOf(first.body);
    assert.ok(first.etag);
    const again = await upstream.projectListIfChanged({ etag: first.etag });
    assert.equal(again.kind, 'not-modified');
    context.pypi.addFile(makeWheel({ name: 'new', version: '1.0' }));
    const changed = await upstream.projectListIfChanged({ etag: first.etag });
    assert.equal(changed.kind, 'list');
    assert.match((await bytesOf(changed.body)).toString(), /"new"/);
  });

  it('a 304 that nobody asked for is an error', async () => {
    await using context = await startPypi();
    context.pypi.fault({ what: 'list' }, { kind: 'status', status: 304 });
    await assert.rejects(async () => context.upstream.projectListIfChanged?.({}), UpstreamError);
  });
});
