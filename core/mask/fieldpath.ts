import type {FieldPath} from './plan.ts';

/** Bounds what a masker has to remember of the way to a member. */
const maximumSegments = 32;

const name = /^[A-Za-z0-9_-]+/;
const member = /^\.([A-Za-z0-9_-]+|\*)/;
const bracket = /^\[(?:(\*)|"([^"*]+)"|'([^'*]+)')\]/;

/**
 * Reads a path as policies write it: names with dots between; `*` or `[*]` for any member or element; other names in
 * brackets and quotes, as in `metadata.annotations["example.com/card"]`. The first is a name.
 *
 * @returns undefined for what is no path
 */
export function parseFieldPath(text: string): FieldPath | undefined {
  const first = name.exec(text)?.[0];
  if (first === undefined) return undefined;
  const path = [first];
  for (let at = first.length; at < text.length; ) {
    const rest = text.slice(at);
    const found = member.exec(rest) ?? bracket.exec(rest);
    if (found === null || path.length === maximumSegments) return undefined;
    path.push(found.slice(1).find((segment) => segment !== undefined) ?? '');
    at += found[0].length;
  }
  return path;
}

/** The members to which both lead; a path leads to a member and all that is inside of it. */
export function commonPath(one: FieldPath, other: FieldPath): FieldPath | undefined {
  const common: string[] = [];
  for (let at = 0; at < Math.max(one.length, other.length); at++) {
    const [left = '*', right = '*'] = [one[at], other[at]];
    if (left !== right && left !== '*' && right !== '*') return undefined;
    common.push(left === '*' ? right : left);
  }
  return common;
}
