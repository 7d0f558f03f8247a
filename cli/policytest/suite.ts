import {dirname, join} from 'node:path';
import {compilePolicies} from '../../core/policy/compile.ts';
import {loadBundle} from '../../core/policy/loadbundle.ts';
import type {LoadedBundle} from '../../core/policy/loadedbundle.ts';
import {FileError, type PolicyFile, readPolicies, readYaml} from '../policy/read.ts';
import {check} from '../schema/check.ts';
import {isObject, type Path, pathBefore, pathText} from '../schema/schema.ts';
import type {YamlDocument} from '../yaml.ts';
import {type BodySource, type PolicyTest, type PolicyTestCase, policyTestKind, policyTestSchema} from './schema.ts';

/** Reads a file as text, by its path. */
export type ReadText = (path: string) => Promise<string>;

/** A file of tests with all that it names. */
export interface Suite {
  readonly file: string;
  readonly bundle: LoadedBundle;
  readonly cases: readonly SuiteCase[];
}

export interface SuiteCase {
  readonly test: PolicyTestCase;
  /** The bytes of the request's body; undefined where it has none. */
  readonly requestBody: string | undefined;
  readonly responseBody: string | undefined;
  /** Text where it must be so to the byte; else JSON that must mean the same. */
  readonly maskedBody: {readonly text: string} | {readonly value: unknown} | undefined;
  /** The line of the file that says this. */
  lineOf(field: Path): number;
}

/** Policies apply to requests in the root namespace where nothing else is said: config/default's. */
const defaultRootNamespace = 'lockkeeper-system';

/**
 * Reads a file of tests, the policies and bodies that it names.
 *
 * @throws {FileError} where one of them is not what it should be
 */
export async function readSuite(file: string, read: ReadText): Promise<Suite> {
  const document = onlyDocument(file, await readText(file, file, read));
  const fault = (path: Path, message: string): FileError =>
    new FileError(file, document.lineOf(path), `${pathText(path)}: ${message}`);
  const [problem] = check(policyTestSchema, document.value);
  if (problem !== undefined) throw fault(problem.path, problem.message);
  const {policies, rootNamespace = defaultRootNamespace, cases} = document.value as PolicyTest;
  const beside = (named: string, path: Path): Promise<string> => {
    const text = read(join(dirname(file), named));
    return text.catch((error: unknown) => {
      throw fault(path, `${named} cannot be read: ${error instanceof Error ? error.message : String(error)}`);
    });
  };
  const found: PolicyFile[] = [];
  for (const [index, named] of policies.entries()) {
    found.push(...readPolicies(join(dirname(file), named), await beside(named, ['policies', index])));
  }
  const bundle = compile(found, rootNamespace);
  const bodyOf = async (source: BodySource | undefined, path: Path): Promise<string | undefined> => {
    if (source?.bodyFile !== undefined) return beside(source.bodyFile, [...path, 'bodyFile']);
    return source?.body === undefined ? undefined : bodyText(source.body);
  };
  const complete: SuiteCase[] = [];
  for (const [index, test] of cases.entries()) {
    const at: Path = ['cases', index];
    const {request, response, expect} = test;
    const expected = expect.masked;
    complete.push({
      test,
      requestBody: await bodyOf(request, [...at, 'request']),
      responseBody: await bodyOf(response, [...at, 'response']),
      maskedBody:
        expected === undefined
          ? undefined
          : expected.bodyFile === undefined && typeof expected.body !== 'string'
            ? {value: expected.body}
            : {text: (await bodyOf(expected, [...at, 'expect', 'masked'])) ?? ''},
      lineOf: (field) => document.lineOf([...at, ...field]),
    });
  }
  return {file, bundle, cases: complete};
}

function onlyDocument(file: string, text: string): YamlDocument {
  const [document, ...others] = readYaml(file, text);
  if (document === undefined || others.length > 0 || !isObject(document.value)) {
    throw new FileError(file, undefined, `must hold one document of the kind ${policyTestKind}`);
  }
  return document;
}

async function readText(file: string, path: string, read: ReadText): Promise<string> {
  try {
    return await read(path);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new FileError(file, undefined, `cannot be read: ${why}`, {cause});
  }
}

/** As the operator compiles them and a proxy loads what it is sent, but that here nothing is forgiven. */
function compile(found: readonly PolicyFile[], rootNamespace: string): LoadedBundle {
  refuseDuplicates(found);
  const policies = found.map(({policy}) => policy);
  const {bundle, problems} = compilePolicies(policies, {rootNamespace, revision: '1'});
  for (const {file, policy, lineOf} of found) {
    const [problem] = problems.get(keyOf(policy)) ?? [];
    if (problem !== undefined) throw new FileError(file, lineOf(pathBefore(problem)), problem);
  }
  return loadBundle(JSON.parse(JSON.stringify(bundle)));
}

function refuseDuplicates(found: readonly PolicyFile[]): void {
  const seen = new Map<string, string>();
  for (const {file, policy, lineOf} of found) {
    const key = keyOf(policy);
    const other = seen.get(key);
    if (other !== undefined) {
      throw new FileError(file, lineOf(['metadata', 'name']), `metadata.name: ${key} is there already, in ${other}`);
    }
    seen.set(key, file);
  }
}

function keyOf({metadata}: PolicyFile['policy']): string {
  return `${metadata?.namespace}/${metadata?.name}`;
}

/** Text stands as it is; all else is sent as JSON, whose numbers keep each digit. */
function bodyText(body: unknown): string {
  return typeof body === 'string' ? body : jsonText(body);
}

export function jsonText(value: unknown): string {
  return JSON.stringify(value, (_, member: unknown) => (typeof member === 'bigint' ? rawJSON(String(member)) : member));
}

/** In Node since 22, and in no library of TypeScript's yet. */
function rawJSON(text: string): unknown {
  return (JSON as unknown as {rawJSON(text: string): unknown}).rawJSON(text);
}
