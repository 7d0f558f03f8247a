const pattern = /^(?=\d)(?:(?<hours>\d{1,6})h)?(?:(?<minutes>\d{1,6})m)?(?:(?<seconds>\d{1,6})s)?$/;

/**
 * Reads a duration in Go's notation, whole hours, minutes and seconds in that order: `15m`, `1h30m`, `90s`, `0s`.
 *
 * @returns seconds, or undefined where the text is no such duration.
 */
export function durationSeconds(text: string): number | undefined {
  const groups = pattern.exec(text)?.groups;
  if (groups === undefined) {
    return undefined;
  }
  return Number(groups.hours ?? 0) * 3600 + Number(groups.minutes ?? 0) * 60 + Number(groups.seconds ?? 0);
}
