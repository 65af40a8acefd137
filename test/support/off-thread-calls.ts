/** Each way off the thread, and each clock or randomness that no seed reaches: imported after the globals were replaced. */
import childProcess from 'node:child_process';
import crypto from 'node:crypto';
import dgram from 'node:dgram';
import dns from 'node:dns';
import fs from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import net from 'node:net';
import { performance } from 'node:perf_hooks';
import tls from 'node:tls';
import zlib from 'node:zlib';

const none = (): void => {};
const bytes = Buffer.alloc(16);
const key = (): crypto.KeyObject =>
  crypto.createPrivateKey({
    key: Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), Buffer.alloc(32, 7)]),
    format: 'der',
    type: 'pkcs8',
  });

export const offThreadCalls: Record<string, () => unknown> = {
  'subtle.importKey': () => crypto.subtle.importKey('raw', bytes, 'AES-GCM', false, ['encrypt']),
  'subtle.generateKey': () => globalThis.crypto.subtle.generateKey('Ed25519', false, ['sign']),
  pbkdf2: () => crypto.pbkdf2('a', 'b', 1, 16, 'sha256', none),
  scrypt: () => crypto.scrypt('a', 'b', 16, none),
  hkdf: () => crypto.hkdf('sha256', 'a', 'b', 'c', 16, none),
  generateKey: () => crypto.generateKey('aes', { length: 128 }, none),
  generateKeySync: () => crypto.generateKeySync('aes', { length: 128 }),
  generatePrime: () => crypto.generatePrime(32, none),
  generatePrimeSync: () => crypto.generatePrimeSync(32),
  checkPrime: () => crypto.checkPrime(7n, none),
  randomFill: () => crypto.randomFill(bytes, none),
  'randomInt(callback)': () => crypto.randomInt(5, none),
  'sign(callback)': () => crypto.sign(null, bytes, key(), none),
  'verify(callback)': () => crypto.verify(null, bytes, crypto.createPublicKey(key()), bytes, none),
  deflate: () => zlib.deflate(bytes, none),
  brotliCompress: () => zlib.brotliCompress(bytes, none),
  zstdCompress: () => zlib.zstdCompress(bytes, none),
  'fs.open': () => fs.open('/dev/null', none),
  'fs.writeFile': () => fs.writeFile('/dev/null', '', none),
  'fs.watch': () => fs.watch('/tmp'),
  'fs.createReadStream': () => fs.createReadStream('/dev/null'),
  'fs.promises.stat': () => fs.promises.stat('/dev/null'),
  'child_process.spawn': () => childProcess.spawn('true'),
  'child_process.execFile': () => childProcess.execFile('true'),
  'net.createServer': () => net.createServer(),
  'net.Socket.connect': () => new net.Socket().connect(1),
  'tls.connect': () => tls.connect(1),
  'dgram.createSocket': () => dgram.createSocket('udp4'),
  'dns.lookup': () => dns.lookup('localhost', none),
  'dns.resolve4': () => dns.resolve4('localhost', none),
  'dns.promises.lookup': () => dns.promises.lookup('localhost'),
  'http.get': () => http.get('http://127.0.0.1:1'),
  'http.createServer': () => http.createServer(),
  'https.request': () => https.request('https://127.0.0.1:1'),
  'performance.measure': () => performance.measure('x'),
  'performance.eventLoopUtilization': () => performance.eventLoopUtilization(),
  'performance.timerify': () => performance.timerify(none),
};
