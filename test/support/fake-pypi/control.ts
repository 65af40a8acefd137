/** The control port of a fake PyPI that runs as a process of its own: JSON in, JSON out. */
import type { IncomingMessage } from 'node:http';
import type { FakePypi } from './fake-pypi.ts';
import type { Fault, FaultMatch, FaultOptions } from './faults.ts';
import { type Host, startHost } from './host.ts';
import { fits } from './faults.ts';
import { makeWheel, type WheelOptions } from './wheel.ts';

type Which = { readonly host?: 'index' | 'files' };

/** POST bodies of the control port, by path. */
export interface ControlBodies {
  '/-/fault': { match: string | FaultMatch; fault: Fault | string; options?: FaultOptions };
  '/-/clear-faults': Record<string, never>;
  '/-/down': Which;
  '/-/up': Which;
  '/-/wheel': WheelOptions;
  '/-/remove-project': { name: string };
  '/-/set-status': { project: string; status: string };
  '/-/clear-requests': Record<string, never>;
}

export async function startControl(pypi: FakePypi, port: number): Promise<Host> {
  return startHost(
    (request, response) => {
      control(pypi, request).then(
        (answer) =>
          response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answer)),
        (error: unknown) => response.writeHead(400).end(String(error)),
      );
    },
    { port },
  );
}

async function control(pypi: FakePypi, request: IncomingMessage): Promise<unknown> {
  const url = new URL(request.url ?? '/', 'http://control');
  if (request.method === 'GET') {
    if (url.pathname !== '/-/requests') throw new Error(`no GET ${url.pathname}`);
    const path = url.searchParams.get('path') ?? '*';
    return pypi.requests.filter((entry) => fits(path, entry.path));
  }
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const body: unknown = JSON.parse(Buffer.concat(chunks).toString() || '{}');
  const as = <K extends keyof ControlBodies>(_path: K): ControlBodies[K] => body as ControlBodies[K];
  const host = (body as Which).host;
  switch (url.pathname) {
    case '/-/fault': {
      const { match, fault, options } = as('/-/fault');
      pypi.fault(match, fault, options);
      break;
    }
    case '/-/clear-faults':
      pypi.clearFaults();
      break;
    case '/-/down':
      await (host ? pypi[host] : pypi).down();
      break;
    case '/-/up':
      await (host ? pypi[host] : pypi).up();
      break;
    case '/-/wheel': {
      const file = makeWheel(as('/-/wheel'));
      pypi.addFile(file);
      return { filename: file.filename, sha256: file.sha256, size: file.size, url: pypi.fileUrl(file) };
    }
    case '/-/remove-project':
      pypi.removeProject(as('/-/remove-project').name);
      break;
    case '/-/set-status': {
      const { project, status } = as('/-/set-status');
      pypi.setStatus(project, status);
      break;
    }
    case '/-/clear-requests':
      pypi.clearRequests();
      break;
    default:
      throw new Error(`no POST ${url.pathname}`);
  }
  return { ok: true };
}
