/** Where settings come from, which wins, and what a wrong one is told. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ConfigSources, loadConfig } from '../src/config.ts';
import { ConfigurationError } from '../src/core/errors.ts';

function sources(given: Partial<ConfigSources> & { files?: Record<string, string> } = {}): ConfigSources {
  const { files = {}, ...rest } = given;
  return {
    flags: {},
    env: {},
    home: '/home/u',
    platform: 'linux',
    readFile(path) {
      const text = files[path];
      if (text === undefined) throw Object.assign(new Error(`no such file: ${path}`), { code: 'ENOENT' });
      return text;
    },
    ...rest,
  };
}

function refusal(given: Parameters<typeof sources>[0]): ConfigurationError {
  try {
    loadConfig(sources(given));
  } catch (error) {
    assert.ok(error instanceof ConfigurationError);
    assert.equal(error.fault, 'usage');
    return error;
  }
  assert.fail('nothing was refused');
}

test('defaults are PyPI, loopback, 20 GB and ten minutes', () => {
  const config = loadConfig(sources());
  assert.equal(config.upstream, 'https://pypi.org/simple/');
  assert.deepEqual(config.gateway, { host: '127.0.0.1', port: 8381 });
  assert.deepEqual(config.listen, ['/ip4/0.0.0.0/tcp/8382']);
  assert.equal(config.quota, 20e9);
  assert.equal(config.pageTtl, 600_000);
  assert.equal(config.dataDir, '/home/u/.local/share/fondue');
  assert.equal(config.share, 'all');
  assert.ok(Object.isFrozen(config));
});

test('a flag beats a variable, which beats the file, which beats the default', () => {
  const files = { '/home/u/.config/fondue/config.toml': 'quota = "1GB"\npage-ttl = "1m"\nshare = "lan"\n' };
  const env = { FONDUE_QUOTA: '2GB', FONDUE_SHARE: 'none' };
  const config = loadConfig(sources({ files, env, flags: { quota: '3GiB' } }));
  assert.equal(config.quota, 3 * 2 ** 30);
  assert.equal(config.share, 'none');
  assert.equal(config.pageTtl, 60_000);
});

test('an unknown flag, variable or key is refused and the nearest known one is named', () => {
  assert.match(refusal({ flags: { quotta: '1GB' } }).fix, /--quota/);
  assert.match(refusal({ env: { FONDUE_PAGE_TLL: '1m' } }).fix, /FONDUE_PAGE_TTL/);
  const error = refusal({ flags: { config: '/c.toml' }, files: { '/c.toml': 'bootstraps = []' } });
  assert.match(error.message, /bootstraps in \/c\.toml/);
  assert.match(error.fix, /bootstrap/);
});

test('a bad value is refused with where it stood and what is expected', () => {
  for (const [flags, message] of [
    [{ quota: '5x' }, /--quota: "5x" is not a size/],
    [{ gateway: '8381' }, /--gateway: "8381" is not HOST:PORT/],
    [{ gateway: '127.0.0.1:99999' }, /HOST:PORT/],
    [{ listen: ['tcp:8382'] }, /--listen: "tcp:8382" is not a multiaddr/],
    [{ upstream: 'pypi' }, /--upstream: "pypi" is not the URL/],
    [{ upstream: 'ftp://x/' }, /http or https/],
    [{ share: 'everyone' }, /one of all, lan, none/],
    [{ private: ['a..*b!'] }, /pattern/],
    [{ 'page-ttl': '10' }, /--page-ttl/],
  ] as const) {
    assert.match(refusal({ flags }).message, message);
  }
  assert.match(refusal({ env: { FONDUE_MDNS: 'maybe' } }).message, /FONDUE_MDNS.*true or false/);
});

test('a file that was asked for must be there and be TOML; the usual one need not be there', () => {
  assert.match(refusal({ flags: { config: '/nowhere.toml' } }).message, /\/nowhere\.toml cannot be read/);
  assert.match(
    refusal({ env: { FONDUE_CONFIG: '/c' }, files: { '/c': 'quota = ' } }).message,
    /\/c is not TOML/,
  );
});

test('what a private address gives is for its network, unless its owner says otherwise', () => {
  const reach = (upstream: string, flags = {}): unknown[] => {
    const { privateUpstream, share, ask } = loadConfig(sources({ flags: { upstream, ...flags } }));
    return [privateUpstream, share, ask];
  };
  for (const host of ['10.0.0.7', '192.168.1.2:8080', '172.16.0.1', '[fd00::1]', '[fe80::1]']) {
    const url = `http://${host}/simple/`;
    assert.deepEqual(reach(url), [false, 'lan', 'lan'], url);
    assert.deepEqual(reach(url, { share: 'all' }), [false, 'all', 'lan'], url);
    assert.deepEqual(reach(url, { 'private-upstream': true }), [true, 'lan', 'lan'], url);
    assert.deepEqual(reach(url.replace('//', '//u:p@')), [true, 'lan', 'lan'], url);
  }
  assert.deepEqual(reach('http://127.0.0.1/simple/'), [false, 'all', 'all']);
  assert.deepEqual(reach('http://11.0.0.7/simple/'), [true, 'all', 'all']);
});

test("the upstream's credentials leave its URL", () => {
  const config = loadConfig(sources({ flags: { upstream: 'https://joe:p%40ss@index.example/simple' } }));
  assert.equal(config.upstream, 'https://index.example/simple/');
  assert.deepEqual(config.upstreamCredentials, { user: 'joe', password: 'p@ss' });
});

test('an upstream is private when it needs a password or is not known to be public, unless its owner says which', () => {
  const isPrivate = (upstream: string, said?: unknown): boolean =>
    loadConfig(sources({ flags: { upstream, 'private-upstream': said } })).privateUpstream;
  assert.equal(loadConfig(sources()).privateUpstream, false);
  for (const url of [
    'https://pypi.org/simple/',
    'https://PyPI.org./simple/',
    'https://test.pypi.org/simple/',
    'http://localhost:3141/root/pypi/+simple/',
    'http://127.0.0.1:8080/simple/',
    'http://127.1:8080/simple/',
    'http://[0:0::1]:8080/simple/',
  ]) {
    assert.equal(isPrivate(url), false, url);
    assert.equal(isPrivate(url, true), true, url);
    assert.equal(isPrivate(url.replace('//', '//u:p@')), true, `${url} with a password`);
  }
  for (const url of [
    'https://pypi.acme.example/simple/',
    'https://pypi.org.acme.example/simple/',
    'https://mypypi.org/simple/',
    'http://packages/simple/',
    'http://127.0.0.1.acme.example/simple/',
  ]) {
    assert.equal(isPrivate(url), true, url);
    assert.equal(isPrivate(url, false), false, url);
  }
  const locked = refusal({
    flags: { upstream: 'https://u:secret@pypi.org/simple/' },
    env: { FONDUE_PRIVATE_UPSTREAM: 'false' },
  });
  assert.match(locked.message, /need a password/);
  assert.doesNotMatch(`${locked.message} ${locked.fix}`, /secret/);
});

test('--offline is mode offline, --listen none listens nowhere, and lists may be parted by commas in a variable', () => {
  const config = loadConfig(
    sources({ flags: { offline: true, listen: ['none'] }, env: { FONDUE_PRIVATE: 'acme-*, emca' } }),
  );
  assert.equal(config.mode, 'offline');
  assert.deepEqual(config.listen, []);
  assert.deepEqual(config.private, ['acme-*', 'emca']);
});

test('proxies and authorities come from the usual variables', () => {
  const config = loadConfig(
    sources({ env: { HTTPS_PROXY: 'http://p:1', no_proxy: 'x', SSL_CERT_FILE: '/ca.pem' } }),
  );
  assert.deepEqual(config.proxy, { https: 'http://p:1', http: undefined, no: 'x' });
  assert.deepEqual(config.caFiles, ['/ca.pem']);
});

test('a variable that is set to nothing is not set', () => {
  const env = { HTTPS_PROXY: '', https_proxy: 'http://p:1', HTTP_PROXY: '', NO_PROXY: '', SSL_CERT_FILE: '' };
  const config = loadConfig(sources({ env }));
  assert.deepEqual(config.proxy, { https: 'http://p:1', http: undefined, no: undefined });
  assert.deepEqual(config.caFiles, []);
});

test('a per cent sign in a password that escapes nothing stands for itself', () => {
  const { upstreamCredentials } = loadConfig(
    sources({ flags: { upstream: 'https://anna:50%off%40@pypi.test/simple/' } }),
  );
  assert.deepEqual(upstreamCredentials, { user: 'anna', password: '50%off%40' });
  const escaped = loadConfig(sources({ flags: { upstream: 'https://anna:p%40ss@pypi.test/simple/' } }));
  assert.equal(escaped.upstreamCredentials?.password, 'p@ss');
});

test('quorum is a mode; the policy is in the data folder unless another is named', () => {
  const usual = loadConfig(sources({ flags: { mode: 'quorum' } }));
  assert.deepEqual(
    [usual.mode, usual.policy, usual.policyGiven, usual.allowOldPages],
    ['quorum', '/home/u/.local/share/fondue/policy', false, false],
  );
  const env = { FONDUE_POLICY: '/etc/fondue/policy', FONDUE_ALLOW_OLD_PAGES: 'true' };
  const given = loadConfig(sources({ env }));
  assert.deepEqual(
    [given.policy, given.policyGiven, given.allowOldPages],
    ['/etc/fondue/policy', true, true],
  );
  assert.match(refusal({ flags: { mode: 'quorums' } }).message, /direct, quorum, offline/);
});
