/**
 * How long a write that nobody synced may be on its way to the disk, ms: Linux writes what is dirty for 30 s, and looks every
 * 5 s (vm.dirty_expire_centisecs, vm.dirty_writeback_centisecs). After it a crash of the machine does not take it.
 */
export const WRITEBACK = 35_000;
