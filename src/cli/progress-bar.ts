/** Progress for people: one moving line on a terminal, a plain line an event elsewhere. Always on standard error. */
import type { Progress } from '../mirror/administration.ts';

export interface ProgressBar extends Disposable {
  show(progress: Progress): void;
}

interface Output {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

export function createProgressBar(output: Output): ProgressBar {
  const live = output.isTTY === true && process.env['TERM'] !== 'dumb';
  let drawn = false;
  const clear = (): void => {
    if (drawn) output.write('\r\u001b[2K');
    drawn = false;
  };
  return {
    show(progress) {
      const { done, total, unit, text, ok } = progress;
      if (!live) {
        output.write(`${done}/${total} ${unit}: ${ok ? '' : 'FAILED '}${text}\n`);
        return;
      }
      clear();
      if (!ok) output.write(`failed: ${text}\n`);
      const width = 24;
      const full = total === 0 ? width : Math.round((done / total) * width);
      const line = `[${'#'.repeat(full)}${'.'.repeat(width - full)}] ${done}/${total} ${unit} ${text}`;
      output.write(line.slice(0, Math.max(20, (output.columns ?? 80) - 1)));
      drawn = true;
    },
    [Symbol.dispose]: clear,
  };
}
