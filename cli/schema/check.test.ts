import {celEnv, parse, plan} from '@bufbuild/cel';
import {describe, expect, test} from '@jest/globals';
import {agentAccessPolicySchema} from '../policy/schema.ts';
import {policyTestSchema} from '../policytest/schema.ts';
import {check} from './check.ts';
import {pathText, type Rule, type Schema} from './schema.ts';

const schema: Schema = {
  type: 'object',
  required: ['name'],
  properties: {
    name: {type: 'string', minLength: 1, maxLength: 5, pattern: '^[a-z]+$'},
    kind: {type: 'string', enum: ['A', 'B', 'C']},
    count: {type: 'integer', minimum: 1, maximum: 9, default: 3},
    ratio: {type: 'number', minimum: 0},
    on: {type: 'boolean'},
    tags: {type: 'array', items: {type: 'string'}, maxItems: 3, 'x-kubernetes-list-type': 'set'},
    parts: {
      type: 'array',
      minItems: 1,
      items: {type: 'object', properties: {id: {type: 'string'}}},
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['id'],
    },
    labels: {type: 'object', additionalProperties: {type: 'string'}},
    any: {},
  },
  'x-kubernetes-validations': [
    {rule: "self.count > 1 || !has(self.kind) || self.kind != 'B'", fieldPath: '.count', message: 'B needs two'},
    {rule: '!has(self.on) || !self.on', messageExpression: "'not ' + self.name"},
    {rule: 'noSuchFunction(self)', message: 'left to the API server'},
  ],
};

function problems(value: unknown): string[] {
  return check(schema, value).map(({path, message}) => `${pathText(path)}: ${message}`);
}

describe('check', () => {
  test.each([
    [{name: 'a'}],
    [{name: 'a', kind: 'B'}],
    [{name: 'a', count: 9n, ratio: 0.5, on: false, tags: ['x', 'y'], parts: [{id: 'x'}, {id: 'y'}]}],
    [{name: 'a', labels: {'example.com/x': 'y'}, any: [{}, null]}],
  ])('takes %p', (value) => {
    expect(problems(value)).toEqual([]);
  });

  test.each([
    ['text', [': must be an object, not "text"']],
    [null, [': must be an object, not nothing']],
    [{}, ['name: is missing']],
    [
      {nam: 'a'},
      ['nam: is no field; there are name, kind, count, ratio, on, tags, parts, labels, any', 'name: is missing'],
    ],
    [{name: 1}, ['name: must be a string, not 1']],
    [{name: ''}, ['name: must not be empty']],
    [{name: 'abcdef'}, ['name: must have at most 5 characters']],
    [{name: 'A'}, ['name: must match ^[a-z]+$, not "A"']],
    [{name: 'a', kind: 'D'}, ['kind: must be A, B or C, not "D"']],
    [{name: 'a', count: 0}, ['count: must be at least 1, not 0']],
    [{name: 'a', count: 10}, ['count: must be at most 9, not 10']],
    [{name: 'a', count: 1.5}, ['count: must be a whole number, not 1.5']],
    [{name: 'a', ratio: '1'}, ['ratio: must be a number, not "1"']],
    [{name: 'a', on: 'yes'}, ['on: must be true or false, not "yes"']],
    [{name: 'a', tags: 'x'}, ['tags: must be a list, not "x"']],
    [{name: 'a', tags: ['x', 1]}, ['tags[1]: must be a string, not 1']],
    [{name: 'a', tags: ['x', 'y', 'x']}, ['tags[2]: "x" is there already, at [0]']],
    [{name: 'a', tags: ['a', 'b', 'c', 'd']}, ['tags: must have at most 3 elements']],
    [{name: 'a', parts: []}, ['parts: must have at least 1 element']],
    [{name: 'a', parts: [{id: 'x'}, {id: 'x'}]}, ['parts[1].id: "x" is there already, at [0]']],
    [{name: 'a', labels: {'example.com/x': []}}, ['labels["example.com/x"]: must be a string, not a list']],
    [{name: 'a', kind: 'B', count: 1}, ['count: B needs two']],
    [{name: 'a', on: true}, [': not a']],
  ])('does not take %p', (value, expected) => {
    expect(problems(value)).toEqual(expected);
  });
});

describe.each([
  ['AgentAccessPolicy', agentAccessPolicySchema],
  ['PolicyTest', policyTestSchema],
])('the rules of %s', (_, root) => {
  const rules = (function rulesOf(each: Schema): Rule[] {
    const below = [...Object.values(each.properties ?? {}), each.items, each.additionalProperties];
    return [...(each['x-kubernetes-validations'] ?? []), ...below.flatMap((one) => (one ? rulesOf(one) : []))];
  })(root);

  // What fails is left to the API server, which must not come to be all of them.
  test('use nothing that is not known here', () => {
    expect(rules.length).toBeGreaterThan(5);
    const environment = celEnv({});
    for (const {rule, messageExpression} of rules) {
      for (const text of [rule, messageExpression ?? 'true'])
        expect(() => plan(environment, parse(text).expr)).not.toThrow();
    }
  });
});
