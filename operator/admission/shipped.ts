import {readFile} from 'node:fs/promises';
import {join} from 'node:path';
import {parseAllDocuments} from 'yaml';

/** The kinds that together enforce who may decide an AccessRequest, and the resources that they are read from. */
export const admissionResources = {
  ValidatingAdmissionPolicy: 'validatingadmissionpolicies',
  ValidatingAdmissionPolicyBinding: 'validatingadmissionpolicybindings',
  MutatingAdmissionPolicy: 'mutatingadmissionpolicies',
  MutatingAdmissionPolicyBinding: 'mutatingadmissionpolicybindings',
} as const;

export type AdmissionKind = keyof typeof admissionResources;

/** Name of each of the four objects. */
export const admissionName = 'lockkeeper-accessrequests';

/** One admission object as shipped, every field in the form that the API server gives it back. */
export interface ShippedAdmission {
  readonly kind: AdmissionKind;
  readonly spec: unknown;
}

/** The manifests that ship with the operator cannot be used; the message says what is wrong with them. */
export class ShippedAdmissionError extends Error {
  override readonly name = 'ShippedAdmissionError';
  readonly code = 'ShippedAdmission';
}

const files = ['accessrequests.yaml', 'stamp.yaml'];

/** Reads the four admission objects from the directory that config/admission became in the image. */
export async function readShippedAdmission(directory: string): Promise<readonly ShippedAdmission[]> {
  const found = new Map<string, unknown>();
  for (const file of files) {
    const path = join(directory, file);
    for (const document of parseAllDocuments(await read(path))) {
      if (document.errors[0]) {
        throw new ShippedAdmissionError(`${path} is no YAML: ${document.errors[0].message}`, {
          cause: document.errors[0],
        });
      }
      const {kind, metadata, spec} = (document.toJS() ?? {}) as {
        kind?: string;
        metadata?: {name?: string};
        spec?: unknown;
      };
      if (kind !== undefined && metadata?.name === admissionName) {
        found.set(kind, spec);
      }
    }
  }
  return (Object.keys(admissionResources) as AdmissionKind[]).map((kind) => {
    const spec = found.get(kind);
    if (spec === undefined || spec === null) {
      throw new ShippedAdmissionError(`${directory} holds no ${kind} ${admissionName} in ${files.join(' or ')}.`);
    }
    return {kind, spec};
  });
}

async function read(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new ShippedAdmissionError(`The shipped admission policies cannot be read: ${why}`, {cause});
  }
}
