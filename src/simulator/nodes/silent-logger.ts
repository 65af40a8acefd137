/** libp2p's loggers, of which it makes one for every stream: none here. The stock ones cost memory and a system call each. */
import type { ComponentLogger, Logger } from '@libp2p/interface';

const nothing = (): void => {};
const silent: Logger = Object.assign(nothing, {
  enabled: false,
  error: nothing,
  trace: nothing,
  newScope: (): Logger => silent,
});

export const silentLogger: ComponentLogger = { forComponent: () => silent };
