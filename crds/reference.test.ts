import {describe, expect, test} from '@jest/globals';
import {referenceOf} from './reference.ts';
import {parseCustomResource} from './schema.ts';

const definition = `
kind: CustomResourceDefinition
spec:
  group: example.com
  names: {kind: Door, plural: doors, shortNames: [dr]}
  versions:
  - name: v1
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            required: [state]
            properties:
              state: {type: string, enum: [Open, Shut], default: Shut, description: Open | shut.}
              locks:
                type: array
                maxItems: 4
                x-kubernetes-list-type: set
                items: {type: string, x-kubernetes-validations: [{rule: "self != ''", message: name the lock}]}
          status:
            type: object
            properties:
              open: {type: boolean}
`;

describe('the reference page', () => {
  const page = referenceOf([parseCustomResource(definition, 'door.yaml')]);

  test.each([
    ['kind, version and short name', '`apiVersion: example.com/v1`, `kind: Door`; `kubectl get doors` or `dr`.'],
    [
      'defaults, and a field with one is not called required',
      '| `state` | `Open` \\| `Shut` | Open \\| shut. Default: `Shut`. |',
    ],
    [
      'bounds and what refuses an entry',
      '| `locks` | list of string (at most 4 entries), no duplicates |  Rule: name the lock. |',
    ],
    ['a section for each object', '### Door.status'],
  ])('shows %s', (_, expected) => {
    expect(page).toContain(expected);
  });
});
