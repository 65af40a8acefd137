/** nginx with one worker, sendfile, `gzip_static` and no log: as quick as it is. */
import { spawn } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { findProgram, freePort, pinned, stop } from './bench-machine.ts';

export interface Nginx extends AsyncDisposable {
  readonly url: string;
  /** What it serves. `/simple/<name>/` is `simple/<name>/page.json`, as a JSON page. */
  readonly root: string;
}

/** Undefined where there is no nginx. `core`: its own, where cores can be given. */
export async function startNginx(folder: string, core?: number): Promise<Nginx | undefined> {
  const program = findProgram('nginx');
  if (program === undefined) return undefined;
  const root = join(folder, 'www');
  await mkdir(root, { recursive: true });
  const port = await freePort();
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((name) => `${name}_temp_path ${folder}/${name};`)
    .join(' ');
  const configuration = `
    ${process.getuid?.() === 0 ? 'user root;' : ''} worker_processes 1; daemon off; pid ${folder}/nginx.pid; error_log ${folder}/error.log;
    events { worker_connections 1024; }
    http { access_log off; sendfile on; tcp_nopush on; gzip_static on; keepalive_requests 100000000; ${temporary}
      default_type application/octet-stream;
      server { listen 127.0.0.1:${port}; root ${root};
        location /simple/ { index page.json; default_type application/vnd.pypi.simple.v1+json; } } }`;
  await writeFile(join(folder, 'nginx.conf'), configuration);
  const command = [program, '-c', join(folder, 'nginx.conf'), '-p', folder];
  const [file, args] = core === undefined ? [program, command.slice(1)] : pinned(core, command);
  const child = spawn(file, args, { stdio: 'ignore' });
  const url = `http://127.0.0.1:${port}`;
  let answers = false;
  for (let tries = 0; tries < 100 && !answers; tries++) {
    answers = await fetch(url).then(Boolean, () => false);
    if (!answers) await new Promise((resolve) => setTimeout(resolve, 50));
  }
  if (!answers) {
    await stop(child, 'SIGKILL');
    throw new Error(`nginx did not start with ${folder}/nginx.conf: see ${folder}/error.log`);
  }
  return { url, root, [Symbol.asyncDispose]: () => stop(child, 'SIGQUIT') };
}
