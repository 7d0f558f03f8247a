/** client-go sends 32 KiB at most; a larger message ends the connection with code 1009. */
export const maximumMessageBytes = 4 * 1024 * 1024;
/** For what waits in one direction; past it the other side is not read. */
export const highWaterBytes = 1024 * 1024;
/** Finds a peer that is gone when nothing is under way. */
export const keepAliveMilliseconds = 30_000;
