import {describe, expect, test} from '@jest/globals';
import fc from 'fast-check';
import {agent, operation} from '../../test/operations.ts';
import {objectOfEnvelope, PartialObject} from '../request/partial.ts';
import {costLimit} from './budget.ts';
import {ExpressionEnvironment, ExpressionError, maximumExpressionLength} from './expression.ts';

const now = new Date('2026-03-02T10:30:00.250Z');

function evaluate(source: string, input: {object?: unknown; patch?: unknown; claims?: Record<string, unknown>} = {}) {
  const environment = new ExpressionEnvironment();
  const expression = environment.compile(source);
  if (expression instanceof ExpressionError) {
    return expression;
  }
  const {object, patch, claims = {}} = input;
  return expression.evaluate(
    environment.activate({operation: operation(), agent: agent({claims}), object, patch, now}),
  );
}

describe('JSON in CEL', () => {
  test.each([
    ['type(object.a) == int && type(object.b) == double', {a: 1, b: 1.5}],
    ['object.a == 9007199254740993', {a: 9007199254740993n}],
    ['type(object.a) == double', {a: 1e300}],
    ['object.a[1][0] == "x" && object.a.size() == 2', {a: [1, ['x']]}],
    ['object.a == {"b": [1, null, {"c": true}]}', {a: {b: [1, null, {c: true}]}}],
    ['has(object.a) && object.a == null && "a" in object', {a: null}],
    ['!has(object.b) && !("b" in object) && !has(object.constructor)', {a: 1}],
    ['has(object.__proto__) && object.__proto__ == 1', JSON.parse('{"__proto__": 1}')],
    ['object.all(k, k in ["a", "b"]) && size(object) == 2', {a: 1, b: 2}],
    ['object.map(k, object[k]).exists(v, v == 2)', {a: 1, b: 2}],
    ['object.l.filter(x, x > 1).map(x, x * 2) == [4, 6]', {l: [1, 2, 3]}],
    ['object.exists_one(o, o.op == "add")', [{op: 'add'}, {op: 'remove'}]],
    ['object == "text"', 'text'],
  ])('%s', (source, object) => {
    expect(evaluate(source, {object})).toBe(true);
  });

  test('now has the milliseconds of the clock', () => {
    expect(evaluate("now == timestamp('2026-03-02T10:30:00.250Z') && now - duration('1h') < now")).toBe(true);
  });
});

describe('what is refused before there is a request', () => {
  test.each([
    ['request.verb = "a"', /expecting end of input/],
    ['', /end of input/],
    ['verb == "list"', /unknown variable verb; there are: request, agent, object, patch, now/],
    ['request.verbs == "list"', /request has no field verbs/],
    ['request["verbs"] == "list"', /request has no field verbs/],
    ['has(agent.name)', /agent has no field name/],
    ['agent.username.first == "a"', /string has no field first/],
    ['request.command.first == "a"', /list has no field first/],
    ['request.verb', /must give bool, gives string/],
    ['request.command', /must give bool, gives list/],
    ['true ? 1 : 2', /must give bool, gives int/],
    ['request.verb && true', /&& takes bool, not string/],
    ['request.name ? true : false', /\?: takes bool, not string/],
    ['request.verb == 1', /string and int are never equal/],
    ['request.verb < 1', /no overload <\(string, int\)/],
    ['request.verb.startsWith(1)', /no overload string\.startsWith\(int\)/],
    ['!request.verb', /no overload !\(string\)/],
    ['object.reverse() == "a"', /unknown function reverse/],
    ['request.verb[0] == "a"', /string cannot be indexed/],
    ['request.verb.exists(c, c == "a")', /string cannot be iterated over/],
    ['request.command.exists(c, c == 1)', /string and int are never equal/],
    ['request.verb.matches("(")', /error parsing regexp/],
    ['google.protobuf.Duration{seconds: 1} == object', /message google\.protobuf\.Duration is not available/],
    ['object.exists(x, y)', /unknown variable y/],
    ['object.exists(x, x) && x', /unknown variable x/],
    ['@step(1, true)', /found @/],
    [`${'true || '.repeat(1000)}true`, /longer than 4096/],
    [`${'('.repeat(2000)}true${')'.repeat(2000)}`, /call stack/],
  ])('%#: %.60s', (source, problem) => {
    const result = evaluate(source);
    expect(result).toBeInstanceOf(ExpressionError);
    expect(result).toMatchObject({code: 'Invalid', message: expect.stringMatching(problem)});
  });

  test.each([
    'request.isResourceRequest',
    '.request.verb == "list"',
    'object == null ? true : object.x',
    'agent.claims.anything.goes',
    'agent.extra["example.com/team"].exists(t, t == "a")',
    'has(request.name) && size(request.command) == 0',
    'strings.quote(request.name) != ""',
    '[1, 2].exists(request, request == 1)',
    '{"a": 1}.all(k, k != "b")',
    'type(object) == map || dyn(1) == "a"',
    '1 == 1.0',
    '-1 < 2 && 7 % 2 == 1',
    'duration("1h") > duration("1m")',
  ])('%s is accepted', (source) => {
    expect(new ExpressionEnvironment().compile(source)).not.toBeInstanceOf(ExpressionError);
  });
});

describe('whether an expression looks at the body', () => {
  test.each([
    ['request.verb == "list"', false],
    ['has(object.spec)', true],
    ['request.verb != "patch" || patch.size() == 1', true],
    ['["a"].exists(x, x == object)', true],
    ['["a"].exists(object, object == "a")', false],
    ['agent.claims.object == "a"', false],
  ])('%s: %p', (source, readsBody) => {
    expect(new ExpressionEnvironment().compile(source)).toMatchObject({readsBody});
  });
});

describe('what fails at run time', () => {
  test.each([
    ['object.a.b', {}, 'Failed', 'field not found: a'],
    ['object.spec.x', null, 'Failed', 'field not found: spec'],
    ['object.a > 1', {a: 'text'}, 'Failed', /no matching overload/],
    ['object.a == 1 / object.b', {a: 1, b: 0}, 'Failed', 'int divide by zero'],
    ['object.a', {a: 'true'}, 'NotBool', 'must give bool, gave another type'],
    ['object', {}, 'NotBool', 'must give bool, gave another type'],
    ['object == 1', undefined, 'Unavailable', 'object: the request has no body that could be read'],
  ])('%s', (source, object, code, message) => {
    const matching = typeof message === 'string' ? message : expect.stringMatching(message);
    expect(evaluate(source, {object})).toMatchObject({code, message: matching});
  });

  test.each(['int(object) > 0', 'bool(object)', 'timestamp(object) < now', 'duration(object) > duration("1s")'])(
    '%s quotes nothing of its operand',
    (source) => {
      for (const secret of ['hunter2', '4111 1111 1111 1111']) {
        const result = evaluate(source, {object: secret});
        expect(result).toBeInstanceOf(ExpressionError);
        expect(String(result)).not.toContain(secret);
      }
    },
  );

  test('a list nested past the bound cannot be read', () => {
    const nested = JSON.parse('['.repeat(1000) + ']'.repeat(1000)) as unknown;
    expect(evaluate('size(object) == 1', {object: nested})).toMatchObject({code: 'Unavailable'});
  });
});

describe('of an object that could be read in part', () => {
  const object = objectOfEnvelope({
    apiVersion: 'v1',
    kind: 'Pod',
    name: 'agent-web',
    generateName: '',
    namespace: '',
    labels: {app: 'web'},
    annotations: {},
    finalizers: ['a'],
  });

  test.each([
    ["object.kind == 'Pod' && object.metadata.name.startsWith('agent-')", true],
    ["has(object.metadata.labels) && object.metadata.labels == {'app': 'web'}", true],
    ['has(object.metadata.annotations)', false],
    ["object.metadata.finalizers.exists(f, f == 'a') && size(object.metadata.labels) == 1", true],
    ["object.metadata.labels.all(k, k == 'app')", true],
  ])('%s: %p', (source, result) => {
    expect(evaluate(source, {object})).toBe(result);
  });

  test.each([
    // What they cost depends on the members that there are.
    "'name' in object.metadata",
    'object == null',
    'has(object.spec)',
    '!has(object.spec.hostNetwork)',
    "object.spec.nodeName == 'worker'",
    "'spec' in object",
    "object['data'] == null",
    'has(object.metadata.ownerReferences)',
    'size(object) == 3',
    'object == {}',
    'object != {}',
    'object.metadata == {}',
    '[object] == [{}]',
    "object.exists(k, k == 'spec')",
    "object.all(k, k != 'spec')",
    'object.metadata.map(k, k).size() < 9',
    'true && has(object.spec)',
  ])('%s is not known', (source) => {
    expect(evaluate(source, {object})).toMatchObject({
      code: 'Unavailable',
      message: expect.stringMatching(/^object: of a body in protobuf only .* send JSON$/),
    });
  });

  test('of one of which nothing could, what does not depend on it decides', () => {
    const unread = new PartialObject('a body of application/yaml cannot be read; send JSON');
    expect(evaluate("object.a == 1 && request.verb == 'get'", {object: unread})).toBe(false);
    expect(evaluate('has(patch.a)', {patch: unread})).toMatchObject({
      code: 'Unavailable',
      message: 'patch: a body of application/yaml cannot be read; send JSON',
    });
  });
});

describe('the cost limit', () => {
  const thousand = Array.from({length: 1000}, (_, index) => index);
  const megabyte = 'a'.repeat(1_000_000);

  test.each([
    ['object.all(a, object.all(b, a + b >= 0))', thousand],
    ['object.exists(a, object.exists(b, a + b < 0)) || true', thousand],
    ['object.map(a, object).all(l, l == object)', thousand],
    ['object.filter(x, true).filter(x, true) == object', thousand.concat(thousand)],
    ['object.replace("", object) == ""', megabyte],
    ['object.replace("a", "aa") == ""', megabyte],
    ['object.matches("^(a+)+$")', megabyte],
    ['object.matches(object)', 'a'.repeat(2000)],
    ['object.matches("(a{30}){30}b")', 'a'.repeat(100_000)],
    ['(object + object + object).size() == 1', megabyte],
    ['[object + object].map(a, [a + a + a + a + a + a].map(b, b + b + b + b))[0][0] == ""', megabyte],
    ['object.split("").size() == 1', megabyte],
    ['object.lowerAscii() == object', megabyte],
    ['"%s".format([object]) == object', megabyte],
    ['object.all(a, now.getHours("Europe/Berlin") >= 0)', thousand],
    ['object.all(a, "x".matches("a" + string(a)) == false)', thousand],
    ['object.all(k, k in object && object == object)', Object.fromEntries(thousand.map((n) => [`k${n}`, n]))],
    ['object.all(a, !object.exists(k, object[a] == -1))', thousand],
  ])('ends %s', (source, object) => {
    expect(evaluate(source, {object})).toMatchObject({code: 'OverCost', message: 'cost limit exceeded'});
  });

  test.each([
    [
      'object.all(c, c.image.startsWith("registry.example.com/"))',
      thousand.map(() => ({image: 'registry.example.com/a'})),
    ],
    ['object.filter(x, x >= 900).size() == 100', thousand],
    ['object.map(x, x * 2).size() == 200', thousand.slice(0, 200)],
    ['object.matches("^[a-z]+$")', 'a'.repeat(30_000)],
  ])('leaves room for %s', (source, object) => {
    expect(evaluate(source, {object})).toBe(true);
  });

  test('is one for all expressions of a decision together', () => {
    const environment = new ExpressionEnvironment();
    const expression = environment.compile('object.all(a, object.all(b, a + b >= 0))');
    const cheap = environment.compile('request.verb == "list"');
    const input = {operation: operation(), agent: agent(), object: thousand, patch: null, now};
    const activation = environment.activate(input);
    if (expression instanceof ExpressionError || cheap instanceof ExpressionError) {
      throw new Error('does not compile');
    }
    for (let spent = 0; spent < costLimit.decision; spent += costLimit.expression) {
      expression.evaluate(activation);
    }
    expect(cheap.evaluate(activation)).toMatchObject({code: 'OverCost'});
    expect(cheap.evaluate(environment.activate(input))).toBe(true);
  });
});

test('any text compiles to an expression or an error, and evaluates to bool or an error', () => {
  const word = fc.constantFrom(
    ...['request', 'object', 'agent', '.verb', '.claims', '.exists(', '.all(', '.map(', '.matches(', 'has(', 'x', ', '],
    ...['"a"', '1', '1.5', '[', ']', '{', '}', ':', '(', ')', ' && ', ' || ', '!', ' == ', ' < ', ' + ', ' in ', ' ? '],
  );
  const text = fc.oneof(
    fc.string({maxLength: 30}),
    fc.array(word, {maxLength: 12}).map((words) => words.join('')),
  );
  fc.assert(
    fc.property(text, fc.jsonValue({maxDepth: 3}), (source, object) => {
      const result = evaluate(source, {object});
      expect(typeof result === 'boolean' || result instanceof ExpressionError).toBe(true);
    }),
    {numRuns: 500},
  );
});

test('an expression may be as long as the CRD lets it', () => {
  const source = `${'1 == 1 && '.repeat(400)}true`;
  expect(source.length).toBeLessThanOrEqual(maximumExpressionLength);
  expect(evaluate(source)).toBe(true);
});
