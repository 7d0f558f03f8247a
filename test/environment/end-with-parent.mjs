/**
 * Loaded with `--import` before a process of Lockkeeper: ends it when whoever started it is gone, killed or not. The
 * kernel closes the IPC channel in every case.
 */
process.on('disconnect', () => process.exit(1));
process.channel?.unref();
