export interface BackoffOptions {
  readonly baseMilliseconds: number;
  readonly maximumMilliseconds: number;
}

/**
 * How long to wait before attempt `failures + 1`: doubles with each failure up to the maximum, of which a random half
 * is taken away, so that many clients of a server that came back do not return at the same moment.
 */
export function backoffMilliseconds(failures: number, options: BackoffOptions, random: () => number): number {
  const whole = Math.min(options.maximumMilliseconds, options.baseMilliseconds * 2 ** Math.max(0, failures - 1));
  return whole * (1 - random() / 2);
}
