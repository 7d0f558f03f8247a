import {annotation} from '../core/audit/annotations.ts';
import {generatedFrom, table} from './markdown.ts';

/**
 * The reference page of the annotations in audit events.
 *
 * @param source text of core/audit/annotations.ts, whose doc comments say what each means
 */
export function annotationsReference(source: string): string {
  const rows = [...source.matchAll(/\/\*\* ((?:(?!\*\/).)*?)\s*\*\/\s*\w+: '([^']+)'/gs)].map(
    ([, meaning = '', name = '']) => [`\`${name}\``, meaning.replaceAll(/\s*\n\s*\*\s*/g, ' ')],
  );
  const described = new Set(rows.map(([name]) => name));
  const missing = Object.values(annotation).filter((name) => !described.has(`\`${name}\``));
  if (missing.length > 0) throw new Error(`core/audit/annotations.ts says nothing of ${missing.join(', ')}`);
  return [
    generatedFrom('core/audit/annotations.ts'),
    '# Audit annotations',
    'The annotations of an event in [the audit log](../audit.md). Values are strings; lists and maps are JSON text; what does not apply is left out.',
    table(['annotation', 'meaning'], rows),
    '',
  ].join('\n\n');
}
