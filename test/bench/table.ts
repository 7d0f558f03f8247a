/** What one round of load through one way measured. */
export interface Sample {
  readonly requestsPerSecond: number;
  readonly p50Milliseconds: number;
  readonly p99Milliseconds: number;
  /** Of the proxy's process, in microseconds for each request; undefined where there is no proxy. */
  readonly cpuMicroseconds: number | undefined;
}

export const reference = 'kubectl proxy';

/** A Markdown table with the medians of each way's samples, and its CPU as a ratio to `kubectl proxy`'s in the same round. */
export function table(samples: ReadonlyMap<string, readonly Sample[]>): string {
  const referenceCPU = (samples.get(reference) ?? []).map(({cpuMicroseconds}) => cpuMicroseconds ?? Number.NaN);
  const rows = [...samples].map(([way, taken]) => {
    const middle = (of: (sample: Sample) => number) => median(taken.map(of));
    const columns = [
      middle(({requestsPerSecond}) => requestsPerSecond).toFixed(0),
      middle(({p50Milliseconds}) => p50Milliseconds).toFixed(2),
      middle(({p99Milliseconds}) => p99Milliseconds).toFixed(2),
      ...cpu(taken, referenceCPU),
    ];
    return `| ${way} | ${columns.join(' | ')} |`;
  });
  return [
    `| way | requests/s | p50 ms | p99 ms | CPU µs/request (min–max) | CPU, ${reference} = 1 |`,
    '| --- | ---: | ---: | ---: | ---: | ---: |',
    ...rows,
  ].join('\n');
}

function cpu(taken: readonly Sample[], referenceCPU: readonly number[]): [string, string] {
  const used = taken.map(({cpuMicroseconds}) => cpuMicroseconds).filter((value) => value !== undefined);
  if (used.length === 0) return ['–', '–'];
  const spread = `${Math.min(...used).toFixed(0)}–${Math.max(...used).toFixed(0)}`;
  // Round by round, so that the machine's drift falls out.
  const ratio = median(used.map((value, round) => value / (referenceCPU[round] ?? Number.NaN)));
  return [`${median(used).toFixed(0)} (${spread})`, ratio.toFixed(2)];
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}
