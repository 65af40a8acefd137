import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { createDialMemory } from '../../src/network/libp2p/dial-memory.ts';
import { whyNotDial } from '../../src/network/libp2p/dial-rules.ts';
import type { DialContext } from '../../src/network/libp2p/dial-rules.ts';
import { isLanAddress, ownNetworks } from '../../src/network/libp2p/own-networks.ts';
import { isInside, parsePeerAddress, subnetOf, zoneOf } from '../../src/network/libp2p/peer-address.ts';
import type { PeerAddress } from '../../src/network/libp2p/peer-address.ts';
import { createFakeClock } from '../support/fake-clock.ts';

const atHome: DialContext = {
  networks: ['192.168.1.20/24', 'fd00:1::2/64'],
  loopbackOnly: false,
  configured: new Set(['10.9.9.9:8382', 'seed.example.org:80']),
};
const allowed = (address: string, context = atHome): boolean => whyNotDial(address, context) === undefined;
const parse = (text: string): PeerAddress => parsePeerAddress(text) ?? assert.fail(text);

describe('an address that somebody told us', () => {
  it('is dialled on the open Internet, from port 1024 on or at 443', () => {
    assert.ok(allowed('/ip4/93.184.216.34/tcp/8382'));
    assert.ok(allowed('/ip4/93.184.216.34/tcp/443/p2p/12D3KooWSMKW5G1d9qSRGsTvJ81rpqBdqSzk2KHehmBG6NiqcjFW'));
    assert.ok(allowed('/ip6/2600:1406::17/tcp/8382'));
    assert.ok(allowed('/dns4/mirror.example.org/tcp/8382'));
    for (const port of [1, 22, 25, 53, 80, 445, 1023])
      assert.ok(!allowed(`/ip4/93.184.216.34/tcp/${port}`), `${port}`);
  });

  it('is never dialled when it points into our LAN from outside, at our router, or at this machine', () => {
    for (const host of [
      '10.0.0.1',
      '172.16.3.4',
      '192.168.0.1',
      '169.254.169.254',
      '100.64.0.1',
      '127.0.0.1',
    ]) {
      assert.ok(!allowed(`/ip4/${host}/tcp/8382`), host);
    }
    for (const host of [
      '::1',
      'fe80::1',
      'fd00:2::1',
      '::ffff:10.0.0.1',
      '::ffff:127.0.0.1',
      '64:ff9b::a00:1',
      '2002:a00:1::1',
    ]) {
      assert.ok(!allowed(`/ip6/${host}/tcp/8382`), host);
    }
    for (const host of ['0.0.0.0', '224.0.0.251', '255.255.255.255'])
      assert.ok(!allowed(`/ip4/${host}/tcp/8382`), host);
  });

  it('is dialled inside the networks of our own interfaces', () => {
    assert.ok(allowed('/ip4/192.168.1.77/tcp/8382'));
    assert.ok(allowed('/ip6/fd00:1::77/tcp/8382'));
    assert.ok(!allowed('/ip4/192.168.1.77/tcp/80'));
  });

  it('is dialled on loopback only when all we listen on is loopback', () => {
    const alone = { ...atHome, loopbackOnly: true };
    assert.ok(allowed('/ip4/127.0.0.1/tcp/8382', alone));
    assert.ok(!allowed('/ip4/10.0.0.1/tcp/8382', alone));
  });

  it('is not dialled over anything but IP or DNS with TCP', () => {
    for (const text of [
      '/ip4/93.184.216.34/udp/8382/quic-v1',
      '/ip4/93.184.216.34/tcp/8382/ws',
      '/ip4/93.184.216.34/tcp/8382/p2p/A/p2p-circuit/p2p/B',
      '/dnsaddr/example.org',
      '/unix/tmp/socket',
      '/ip4/93.184.216.34',
      '/ip4/93.184.216.34/tcp/99999',
      '/ip4/::1/tcp/8382',
      '',
    ]) {
      assert.ok(!allowed(text), text);
    }
  });

  it('is not a name that is an address in disguise, or a local one', () => {
    for (const name of [
      '127.1',
      '2130706433',
      '0x7f000001',
      '10.0.0.1',
      'localhost',
      'printer.local',
      'nas.home.arpa',
    ]) {
      assert.ok(!allowed(`/dns4/${name}/tcp/8382`), name);
    }
  });

  it('is dialled whatever it is when it was configured as a bootstrap', () => {
    assert.ok(allowed('/ip4/10.9.9.9/tcp/8382'));
    assert.ok(allowed('/dns4/seed.example.org/tcp/80'));
    assert.ok(!allowed('/ip4/10.9.9.9/tcp/8383'));
  });

  it('never throws, whatever the text', () => {
    fc.assert(fc.property(fc.string(), (text) => void whyNotDial(text, atHome)));
    fc.assert(
      fc.property(fc.ipV6(), fc.nat(70_000), (ip, port) => void whyNotDial(`/ip6/${ip}/tcp/${port}`, atHome)),
    );
  });
});

describe('the memory of dials', () => {
  it('dials one host once in 10 s, whatever the port', async () => {
    const clock = createFakeClock();
    const memory = createDialMemory(clock);
    assert.equal(memory.begin(parse('/ip4/93.184.216.34/tcp/8382')), undefined);
    assert.notEqual(memory.begin(parse('/ip4/93.184.216.34/tcp/9000')), undefined);
    assert.equal(memory.begin(parse('/ip4/93.184.216.35/tcp/8382')), undefined);
    await clock.advance(10_000);
    assert.equal(memory.begin(parse('/ip4/93.184.216.34/tcp/9000')), undefined);
  });

  it('counts what a name leads to as a host: many names are not many dials of it', async () => {
    const clock = createFakeClock();
    const memory = createDialMemory(clock);
    assert.equal(memory.begin(parse('/dns4/a.example.org/tcp/8382')), undefined);
    assert.equal(memory.beginHost('93.184.216.34'), undefined);
    assert.equal(memory.begin(parse('/dns4/b.example.org/tcp/8382')), undefined);
    assert.notEqual(memory.beginHost('93.184.216.34'), undefined);
    assert.notEqual(memory.begin(parse('/ip4/93.184.216.34/tcp/8382')), undefined);
    await clock.advance(10_000);
    assert.equal(memory.beginHost('93.184.216.34'), undefined);
  });

  it('leaves an address where another peer answered alone for 24 h, and only for that peer', async () => {
    const clock = createFakeClock();
    const memory = createDialMemory(clock);
    const wrong = parse('/ip4/93.184.216.34/tcp/8382/p2p/A');
    memory.wrongIdentity(wrong);
    assert.notEqual(memory.begin(wrong), undefined);
    assert.equal(memory.begin(parse('/ip4/93.184.216.34/tcp/8382/p2p/B')), undefined);
    await clock.advance(24 * 3_600_000);
    assert.equal(memory.begin(wrong), undefined);
  });
});

const info = (cidr: string, internal = false) => ({
  address: cidr.split('/')[0] as string,
  netmask: '',
  mac: '',
  family: 'IPv4' as const,
  internal,
  cidr,
});

describe('our own networks', () => {
  const networks = ownNetworks(() => ({
    lo: [info('127.0.0.1/8', true)],
    eth0: [info('192.168.1.20/24'), info('203.0.113.5/24')],
  }));

  it('are those of interfaces that lead somewhere', () => {
    assert.deepEqual(networks, ['192.168.1.20/24', '203.0.113.5/24']);
  });

  it('make a LAN of private addresses only, and of this machine', () => {
    assert.ok(isLanAddress('/ip4/192.168.1.99/tcp/1', networks));
    assert.ok(isLanAddress('/ip4/127.0.0.1/tcp/1/p2p/x', networks));
    assert.ok(!isLanAddress('/ip4/192.168.2.99/tcp/1', networks));
    assert.ok(!isLanAddress('/ip4/93.184.216.34/tcp/1', ['93.184.216.1/24']));
    assert.ok(!isLanAddress('/dns4/nas.example/tcp/1', networks));
  });
});

describe('subnets', () => {
  it('are a /24 of IPv4 and a /48 of IPv6, however the address is written', () => {
    assert.equal(subnetOf('93.184.216.34'), '93.184.216.0/24');
    assert.equal(subnetOf('2001:db8:1:2::3'), subnetOf('2001:0db8:0001:ffff::'));
    assert.notEqual(subnetOf('2001:db8:1::'), subnetOf('2001:db8:2::'));
    assert.equal(parse('/ip6/::ffff:93.184.216.34/tcp/8382').host, '93.184.216.34');
  });

  it('hold every address of theirs', () => {
    fc.assert(
      fc.property(fc.ipV4(), (ip) => {
        assert.ok(isInside(ip, [subnetOf(ip)]));
        assert.ok(['loopback', 'private', 'public', 'unusable'].includes(zoneOf(ip)));
      }),
    );
  });
});
