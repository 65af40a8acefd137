/**
 * The fake PyPI as a process: `node test/support/fake-pypi/main.ts --fixtures --json`. Prints one ready line with its
 * URLs; `control.ts` says what the control port takes. Ends with SIGTERM, SIGINT, or with its parent.
 */
import { parseArgs } from 'node:util';
import { startControl } from './control.ts';
import { startFakePypi } from './fake-pypi.ts';
import { fixtureProjects } from './fixture-projects.ts';
import type { ApiVersion } from './pages.ts';
import { makeWheel } from './wheel.ts';

const HELP = `node test/support/fake-pypi/main.ts [options]
  --fixtures                 the fixtures' real wheels (--names flask,click: only these projects)
  --wheel NAME==VERSION[:BYTES[:REQ,REQ]]   a synthetic wheel; repeatable
  --port N --files-port N --control-port N  default 0: any
  --fault PROJECT:FAULT      such as click:cut-file-once=50000 or *:page-503-once=2; repeatable
  --core-metadata hash|true|none --api-version 1.0..1.4 --format json|html|both --file-urls host|path
  --no-etag --last-modified --no-gzip --no-serial --no-ranges --no-head --omit size,hashes,upload-time
  --changelog --latency MS --bandwidth BYTES_A_SECOND --until-stdin-closes --json
`;

const { values } = parseArgs({
  allowNegative: true,
  options: {
    help: { type: 'boolean' },
    fixtures: { type: 'boolean' },
    names: { type: 'string' },
    wheel: { type: 'string', multiple: true, default: [] },
    port: { type: 'string', default: '0' },
    'files-port': { type: 'string', default: '0' },
    'control-port': { type: 'string', default: '0' },
    fault: { type: 'string', multiple: true, default: [] },
    'core-metadata': { type: 'string', default: 'hash' },
    'api-version': { type: 'string', default: '1.4' },
    format: { type: 'string', default: 'both' },
    'file-urls': { type: 'string', default: 'host' },
    etag: { type: 'boolean', default: true },
    'last-modified': { type: 'boolean', default: false },
    gzip: { type: 'boolean', default: true },
    serial: { type: 'boolean', default: true },
    ranges: { type: 'boolean', default: true },
    head: { type: 'boolean', default: true },
    changelog: { type: 'boolean', default: false },
    omit: { type: 'string', default: '' },
    latency: { type: 'string' },
    bandwidth: { type: 'string' },
    'until-stdin-closes': { type: 'boolean' },
    json: { type: 'boolean' },
  },
});

if (values.help) {
  process.stdout.write(HELP);
  process.exit(0);
}

const wheels = values.wheel.map((text) => {
  const [what = '', bytes = '0', requires] = text.split(':');
  const [name = '', version = '1.0'] = what.split('==');
  return makeWheel({
    name,
    version,
    extraBytes: Number(bytes),
    requires: requires ? requires.split(',') : [],
  });
});
const pypi = await startFakePypi({
  files: [...(values.fixtures ? fixtureProjects({ names: values.names?.split(',') }) : []), ...wheels],
  port: Number(values.port),
  filesPort: Number(values['files-port']),
  coreMetadata: values['core-metadata'] as 'hash' | 'true' | 'none',
  apiVersion: values['api-version'] as ApiVersion,
  format: values.format as 'json' | 'html' | 'both',
  fileUrls: values['file-urls'] as 'host' | 'path',
  etag: values.etag,
  lastModified: values['last-modified'],
  gzip: values.gzip,
  serial: values.serial,
  ranges: values.ranges,
  head: values.head,
  changelog: values.changelog,
  omit: values.omit.split(',').filter((key) => key !== ''),
  ...(values.latency === undefined ? {} : { latencyMs: Number(values.latency) }),
  ...(values.bandwidth === undefined ? {} : { bytesPerSecond: Number(values.bandwidth) }),
});
for (const text of values.fault) {
  const [project = '', fault = ''] = text.split(/:(.*)/s);
  pypi.fault(project, fault);
}
const control = await startControl(pypi, Number(values['control-port']));
const ready = {
  event: 'ready',
  url: pypi.url,
  files: pypi.files.url,
  control: control.url,
  pid: process.pid,
};
process.stdout.write(
  values.json
    ? `${JSON.stringify(ready)}\n`
    : `index ${ready.url}\nfiles ${ready.files}\ncontrol ${ready.control}\n`,
);

function stop(): void {
  process.exit(0);
}
process.on('SIGTERM', stop);
process.on('SIGINT', stop);
if (values['until-stdin-closes']) process.stdin.resume().on('end', stop).on('close', stop);
