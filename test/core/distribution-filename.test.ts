import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { candidateProjects, parseDistributionFilename } from '../../src/core/distribution-filename.ts';
import { fixturePage, fixturePath, fixturesMissing } from '../support/fixtures.ts';

const brief = (filename: string): unknown[] | undefined => {
  const parsed = parseDistributionFilename(filename);
  return parsed && [parsed.kind, parsed.project, parsed.version];
};

test('a wheel says everything', () => {
  assert.deepEqual(parseDistributionFilename('Flask_Cors-1.0-2b-cp311-abi3-manylinux_2_17_x86_64.whl'), {
    kind: 'wheel',
    project: 'flask-cors',
    version: '1.0',
    build: '2b',
    pythonTag: 'cp311',
    abiTag: 'abi3',
    platformTag: 'manylinux_2_17_x86_64',
  });
  assert.deepEqual(brief('zope.interface-5.4.0+local.1-py2.py3-none-any.whl'), [
    'wheel',
    'zope-interface',
    '5.4.0+local.1',
  ]);
});

test('what is no distribution has no reading', () => {
  for (const filename of [
    '',
    'flask',
    'flask.whl',
    'flask-1.0.whl',
    'flask-1.0-py3-none.whl',
    'flask-1.0-x1-py3-none-any.whl',
    'flask-1.0--none-any.whl',
    '-1.0-py3-none-any.whl',
    '_-1.0-py3-none-any.whl',
    'flask-1.0.tar.gz.asc',
    'flask-1.0.whl.metadata',
    'flask.tar.gz',
    '-1.0.tar.gz',
    'flask-.tar.gz',
    `${'a-'.repeat(200)}1.tar.gz`,
  ])
    assert.equal(parseDistributionFilename(filename), undefined, filename);
  assert.deepEqual(candidateProjects('README.html'), []);
});

test('sdists of all ages', () => {
  assert.deepEqual(brief('flask_cors-4.0.0.tar.gz'), ['sdist', 'flask-cors', '4.0.0']);
  assert.deepEqual(brief('python-dateutil-2.8.2.tar.gz'), ['sdist', 'python-dateutil', '2.8.2']);
  assert.deepEqual(brief('zope.interface-3.3.0b1.tgz'), ['sdist', 'zope-interface', '3.3.0b1']);
  assert.deepEqual(brief('cffi-1.0.2-2.tar.gz'), ['sdist', 'cffi', '1.0.2-2']);
  assert.deepEqual(brief('foo-1.0-beta-2.zip'), ['sdist', 'foo', '1.0-beta-2']);
  assert.deepEqual(brief('foo-bar-dev.tar.bz2'), ['sdist', 'foo-bar', 'dev']);
  assert.deepEqual(brief('python-3parclient-4.2.0.tar.gz'), ['sdist', 'python-3parclient', '4.2.0']);
  assert.deepEqual(brief('foo-2020-10-01.tar.gz'), ['sdist', 'foo-2020', '10-01']);
  assert.deepEqual(brief('foo-v1.0.tar.Z'), ['sdist', 'foo', 'v1.0']);
});

test('an ambiguous sdist has all its readings, likeliest first', () => {
  assert.deepEqual(candidateProjects('foo-1.0-1.tar.gz'), ['foo', 'foo-1-0']);
  assert.deepEqual(candidateProjects('a-b-c.tar.gz'), ['a-b', 'a']);
  assert.deepEqual(candidateProjects('python-3parclient-4.2.0.tar.gz'), ['python-3parclient', 'python']);
  assert.deepEqual(candidateProjects('flask-3.0-py3-none-any.whl'), ['flask']);
});

test('what only old tools install is read too', () => {
  assert.deepEqual(brief('zope.interface-3.8.0-py2.7-win-amd64.egg'), ['other', 'zope-interface', '3.8.0']);
  assert.deepEqual(brief('numpy-1.0.1.dev3460.win32-py2.4.exe'), ['other', 'numpy', '1.0.1.dev3460']);
  assert.deepEqual(brief('lxml-2.3.win-amd64-py3.2.msi'), ['other', 'lxml', '2.3']);
  assert.deepEqual(brief('foo-1.0-1.noarch.rpm'), ['other', 'foo', '1.0']);
  assert.deepEqual(brief('foo-1.0.linux-x86_64.tar.gz'), ['other', 'foo', '1.0']);
});

test('name and version that were put together are found again', () => {
  const name = fc.stringMatching(/^[a-z]([a-z_.]{0,8}[a-z])?$/);
  const version = fc.stringMatching(
    /^[0-9]{1,3}(\.[0-9]{1,3}){0,2}((a|b|rc)[0-9])?(\.post[0-9])?(\.dev[0-9])?$/,
  );
  fc.assert(
    fc.property(
      name,
      version,
      fc.constantFrom('.tar.gz', '.zip', '-py3-none-any.whl'),
      (name, version, end) => {
        const parsed = parseDistributionFilename(`${name}-${version}${end}`);
        assert.equal(parsed?.version, version);
        assert.equal(parsed.project, name.replace(/[._]+/g, '-'));
      },
    ),
  );
});

test('any text has a reading or none, quickly', () => {
  fc.assert(
    fc.property(
      fc.oneof(fc.string(), fc.stringMatching(/^[a1.\-_]{0,40}\.(whl|zip|egg|rpm)$/)),
      (filename) => {
        const parsed = parseDistributionFilename(filename);
        if (parsed !== undefined) assert.equal(candidateProjects(filename)[0], parsed.project);
      },
    ),
  );
  for (const stem of [
    'a-'.repeat(120),
    'a-1.'.repeat(60),
    `a-${'1'.repeat(200)}`,
    `a-1+${'a-'.repeat(100)}!`,
  ])
    parseDistributionFilename(`${stem}.zip`);
});

test(
  'every file of every real page belongs to its project by its name alone',
  { skip: fixturesMissing() },
  () => {
    let count = 0;
    for (const name of readdirSync(fixturePath('index'))) {
      const project = name.replace('.json.gz', '');
      const page = JSON.parse(fixturePage(project).toString()) as { files: { filename: string }[] };
      for (const { filename } of page.files) {
        count++;
        assert.equal(candidateProjects(filename)[0], project, filename);
      }
    }
    assert.equal(count, 108_968);
  },
);
