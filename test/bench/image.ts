/** How the image runs the gateway, for measurements that shall say something about it. Source: Dockerfile. */
export const imageNodeFlags: readonly string[] = ['--max-semi-space-size=2'];

export const imageEnvironment = {
  MALLOC_ARENA_MAX: '2',
  MALLOC_TRIM_THRESHOLD_: '131072',
  MALLOC_MMAP_THRESHOLD_: '32768',
};

/** Hands what the image has in its environment to the processes that are started from here on. */
export function takeImageEnvironment(): void {
  Object.assign(process.env, imageEnvironment);
}
