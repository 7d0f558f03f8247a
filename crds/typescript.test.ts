import {describe, expect, test} from '@jest/globals';
import {parseCustomResource} from './schema.ts';
import {typesOf} from './typescript.ts';

const definition = `
kind: CustomResourceDefinition
spec:
  group: example.com
  names: {kind: Door, plural: doors, shortNames: [dr]}
  versions:
  - name: v1
    schema:
      openAPIV3Schema:
        title: Door
        type: object
        required: [spec]
        properties:
          metadata: {type: object}
          spec:
            title: DoorSpec
            type: object
            required: [state]
            description: Opens with /knock/*/ only.
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
              conditions: {type: array, items: {title: StatusCondition, type: object}}
`;

describe('types from a CustomResourceDefinition', () => {
  const types = typesOf(parseCustomResource(definition, 'door.yaml'), 'door.yaml');

  test.each([
    ['names the source and that it is generated', '// Generated from door.yaml by `npm run generate`. Do not edit.'],
    ['takes titles as interface names', 'export interface DoorSpec {'],
    ['makes required fields required', 'state: '],
    ['makes other fields optional', 'locks?: string[]'],
    ['keeps the end of a comment out of descriptions', '/knock/*\\/ only.'],
    ['uses the shared metadata type', 'metadata?: ObjectMeta'],
    ['uses the shared condition type', 'conditions?: StatusCondition[]'],
  ])('%s', async (_, expected) => {
    expect(await types).toContain(expected);
  });

  test('allows no unknown fields', async () => {
    expect(await types).not.toContain('[k: string]');
  });

  test.each([
    ['another kind', 'kind: Service\nspec: {}'],
    ['an empty file', ''],
    ['two versions', definition.replace('  versions:', '  versions:\n  - name: v0\n    schema: {}')],
  ])('refuses %s', (_, text) => {
    expect(() => parseCustomResource(text, 'door.yaml')).toThrow(/door\.yaml: must be one CustomResourceDefinition/);
  });
});
