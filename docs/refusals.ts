import {generatedFrom, table} from './markdown.ts';

/**
 * The reference page of the codes with which calls are refused and streams ended.
 *
 * @param source text of proxy/path/refusal.ts, whose doc comments say what each means
 */
export function refusalsReference(source: string): string {
  const codes = source.match(/type RefusalCode =(.*?);\n/s)?.[1] ?? '';
  const rows = [...codes.matchAll(/\/\*\* ((?:(?!\*\/).)*?)\s*\*\/\s*\| '(\w+)'/gs)].map(
    ([, meaning = '', code = '']) => [`\`${code}\``, meaning.replaceAll(/\s*\n\s*\*\s*/g, ' ')],
  );
  const described = new Set(rows.map(([code]) => code));
  const missing = [...codes.matchAll(/\| '(\w+)'/g)].filter(([, code]) => !described.has(`\`${code}\``));
  if (rows.length === 0 || missing.length > 0) {
    throw new Error(`proxy/path/refusal.ts says nothing of ${missing.map(([, code]) => code).join(', ')}`);
  }
  return [
    generatedFrom('proxy/path/refusal.ts'),
    '# Refusals',
    'Why the proxy did not carry out a call, or ended one that lasts: the annotation `lockkeeper.dev/refusal` in [the audit log](../audit.md), the label `outcome` of `lockkeeper_proxy_requests_total` and the label `reason` of `lockkeeper_proxy_streams_ended_total` ([metrics](metrics.md)). What the agent is told is the Status: [for agents](../agents.md#what-a-refusal-means).',
    table(['code', 'meaning'], rows),
    '',
  ].join('\n\n');
}
