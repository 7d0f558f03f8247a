import type {AgentAccessPolicy} from '../../core/api/agentaccesspolicy.ts';
import {check} from '../schema/check.ts';
import {isObject, type Path, pathText} from '../schema/schema.ts';
import {parseYaml, type YamlDocument, YamlError} from '../yaml.ts';
import {agentAccessPolicySchema} from './schema.ts';

/** A file of an author's is not what it should be. The message names file, line and field, and what would be right. */
export class FileError extends Error {
  override readonly name = 'FileError';
  readonly code = 'BadFile';

  constructor(file: string, line: number | undefined, message: string, options?: ErrorOptions) {
    super(`${file}${line === undefined ? '' : `:${line}`}: ${message}`, options);
  }
}

/** A policy, and where it came from. */
export interface PolicyFile {
  readonly file: string;
  readonly policy: AgentAccessPolicy;
  lineOf(path: Path): number;
}

const kind = 'AgentAccessPolicy';
const apiVersion = 'lockkeeper.dev/v1alpha1';

/**
 * Reads the policies in a YAML file. Objects of other kinds may stand beside them, as in any manifest.
 *
 * @throws {FileError} where it is no YAML, holds no policy, or one that the API server would refuse
 */
export function readPolicies(file: string, text: string): PolicyFile[] {
  const documents = readYaml(file, text).filter(({value}) => isObject(value) && value.kind === kind);
  if (documents.length === 0) throw new FileError(file, undefined, `holds no ${kind}`);
  return documents.map((document) => {
    refuseOthers(file, document);
    return {file, policy: document.value as AgentAccessPolicy, lineOf: document.lineOf};
  });
}

/** @throws {FileError} */
export function readYaml(file: string, text: string): YamlDocument[] {
  try {
    return parseYaml(text);
  } catch (error) {
    if (!(error instanceof YamlError)) throw error;
    throw new FileError(file, error.line, error.message, {cause: error});
  }
}

function refuseOthers(file: string, {value, lineOf}: YamlDocument): void {
  const policy = value as {apiVersion?: unknown; metadata?: {name?: unknown; namespace?: unknown} | null};
  const refuse = (path: Path, message: string): never => {
    throw new FileError(file, lineOf(path), `${pathText(path)}: ${message}`);
  };
  if (policy.apiVersion !== apiVersion) refuse(['apiVersion'], `must be ${apiVersion}`);
  for (const field of ['name', 'namespace'] as const) {
    const given = policy.metadata?.[field];
    if (typeof given !== 'string' || given === '') {
      const why = field === 'namespace' ? ': it says where the policy applies' : '';
      refuse(['metadata', field], `must be given${why}`);
    }
  }
  const [problem] = check(agentAccessPolicySchema, value);
  if (problem !== undefined) refuse(problem.path, problem.message);
}
