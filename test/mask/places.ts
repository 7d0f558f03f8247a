import {gunzipSync, gzipSync} from 'node:zlib';
import type {Random} from './random.ts';

/** What is masked as one stream, and what it is known to be. */
export interface DocumentKind {
  readonly mediaType: 'json' | 'text';
  /** Whether the answer is about Secrets, whose data is base64. */
  readonly secret?: true;
  /** Whether policy asks to look into base64 wherever it stands. */
  readonly decodeBase64?: true;
}

/** A document with a place for what is sensitive. */
export interface Place extends DocumentKind {
  readonly name: string;
  /** What is put there: text that the document writes as its format has it, or JSON as it stands in the document. */
  readonly takes: 'text' | 'jsonString' | 'jsonNumber';
  /** The same choices give the same document around what is put there. */
  render(random: Random, sensitive: string): string;
  /** What can be read of the masked document, where that is not the document itself. */
  unpack?(masked: string): string;
}

/** As Go's encoder writes it, and so the API server: it escapes what HTML would read. */
export function goString(text: string): string {
  return JSON.stringify(text)
    .replaceAll('<', '\\u003c')
    .replaceAll('>', '\\u003e')
    .replaceAll('&', '\\u0026')
    .replaceAll('\u2028', '\\u2028')
    .replaceAll('\u2029', '\\u2029');
}

/** Stands for a JSON value that is put in as it is. */
const SLOT = '"@slot@"';

/** JSON with what is put at the place of `slot`. */
function json(value: unknown, sensitive: string): string {
  return goJSON(value).replace(SLOT, () => sensitive);
}

function goJSON(value: unknown): string {
  if (typeof value === 'string') return goString(value);
  if (Array.isArray(value)) return `[${value.map(goJSON).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  return `{${Object.entries(value)
    .map(([name, member]) => `${goString(name)}:${goJSON(member)}`)
    .join(',')}}`;
}

const slot = '@slot@';

const base64 = (text: string | Buffer): string => Buffer.from(text as string).toString('base64');

const TIME = '2026-03-02T10:30:00Z';

function metadata(random: Random, name = `checkout-${random.hex(10)}`): Record<string, unknown> {
  return {
    name,
    namespace: 'payments',
    uid: random.uuid(),
    resourceVersion: String(random.integer(1000, 999_999)),
    creationTimestamp: TIME,
  };
}

/** Words as people write them before what they paste. */
function before(random: Random): string {
  return random.pick([
    '',
    'card: ',
    'pan=',
    'charged ',
    'PAN ',
    'no. ',
    'customer paid with ',
    'card_',
    '(',
    '\u00e9 ',
    '"',
  ]);
}

function after(random: Random): string {
  return random.pick(['', '.', ', thanks', ' exp 12/29', ';', ')', '_ok', ' \u2713', '"']);
}

/** A card in the middle of a sentence, or of what a program wrote. */
export function around(random: Random, card: string): string {
  return `${before(random)}${card}${after(random)}`;
}

/** One JSON document whose text at one place is written by Go. */
function stringPlace(name: string, document: (random: Random, text: string) => unknown): Place {
  return {
    name,
    mediaType: 'json',
    takes: 'text',
    render: (random, sensitive) => goJSON(document(random, sensitive)),
  };
}

const pod = (random: Random, spec: object, more: object = {}): object => ({
  kind: 'Pod',
  apiVersion: 'v1',
  metadata: {...metadata(random), ...more},
  spec: {containers: [{name: 'checkout', image: 'registry.example.com/checkout:1.4.2', ...spec}]},
});

const configMap = (random: Random, data: object): object => ({
  kind: 'ConfigMap',
  apiVersion: 'v1',
  metadata: metadata(random),
  data,
});

const secret = (random: Random, data: object, more: object = {}): object => ({
  kind: 'Secret',
  apiVersion: 'v1',
  metadata: {...metadata(random), ...more},
  data,
  type: 'Opaque',
});

const event = (random: Random, message: string): object => ({
  kind: 'Event',
  apiVersion: 'v1',
  metadata: metadata(random),
  involvedObject: {kind: 'Pod', namespace: 'payments', name: 'checkout-0', uid: random.uuid()},
  reason: 'Unhealthy',
  message,
  firstTimestamp: TIME,
  count: random.integer(1, 500),
  type: 'Warning',
});

const table = (random: Random, cell: unknown, object: object = {}): object => ({
  kind: 'Table',
  apiVersion: 'meta.k8s.io/v1',
  metadata: {resourceVersion: String(random.integer(1000, 999_999))},
  columnDefinitions: [{name: 'Name', type: 'string', format: 'name', description: 'Name must be unique', priority: 0}],
  rows: [{cells: ['checkout-0', cell, 3, '<none>'], object: {kind: 'PartialObjectMetadata', ...object}}],
});

const payment = (random: Random, card: unknown): object => ({
  kind: 'Payment',
  apiVersion: 'example.com/v1',
  metadata: metadata(random),
  spec: {amount: random.integer(1, 9999), currency: 'EUR', card},
});

const JSON_TEXT: readonly Place[] = [
  stringPlace('an annotation', (random, text) => pod(random, {}, {annotations: {'example.com/note': text}})),
  stringPlace('a label', (random, text) => pod(random, {}, {labels: {app: 'checkout', ref: text}})),
  stringPlace('an env value', (random, text) => pod(random, {env: [{name: 'TEST_CARD', value: text}]})),
  stringPlace('an argument', (random, text) => pod(random, {args: ['--charge', text, '--once']})),
  stringPlace('the data of a ConfigMap', (random, text) =>
    configMap(random, {'app.properties': `a=1\n${text}\nb=2\n`}),
  ),
  stringPlace('a key of a ConfigMap', (random, text) => configMap(random, {[text]: 'x'})),
  stringPlace('the name of an object', (random, text) => ({...pod(random, {}), metadata: metadata(random, text)})),
  stringPlace('a custom resource', (random, text) => payment(random, text)),
  stringPlace('the name of a managed field', (random, text) =>
    pod(random, {}, {managedFields: [{fieldsV1: {'f:data': {[`f:${text}`]: {}}}, time: TIME}]}),
  ),
  stringPlace('an event', (random, text) => event(random, `Readiness probe failed: ${text}`)),
  stringPlace('a cell of a Table', (random, text) => table(random, text)),
  stringPlace('an object in a Table', (random, text) => table(random, '3d', payment(random, text))),
  stringPlace('an error of the API server', (random, text) => ({
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    message: `payments.example.com "${text}" not found`,
    reason: 'NotFound',
    details: {name: `x${random.hex(4)}`, group: 'example.com', kind: 'payments'},
    code: 404,
  })),
  stringPlace('the copy that kubectl keeps', (random, text) =>
    pod(
      random,
      {},
      {
        annotations: {
          'kubectl.kubernetes.io/last-applied-configuration': `${JSON.stringify(configMap(random, {note: text}))}\n`,
        },
      },
    ),
  ),
  stringPlace('JSON in JSON in a ConfigMap', (random, text) =>
    configMap(random, {'state.json': JSON.stringify({last: JSON.stringify({order: {note: text}})})}),
  ),
  {
    name: 'the frame of a watch',
    mediaType: 'json',
    takes: 'text',
    render: (random, sensitive) => {
      const frames = [
        {type: 'ADDED', object: configMap(random, {a: 'b'})},
        {type: 'MODIFIED', object: configMap(random, {note: sensitive})},
        {type: 'BOOKMARK', object: {kind: 'ConfigMap', metadata: {resourceVersion: '12345'}}},
      ];
      return frames.map((frame) => `${goJSON(frame)}\n`).join('');
    },
  },
  {
    name: 'a list, indented',
    mediaType: 'json',
    takes: 'text',
    render: (random, sensitive) =>
      JSON.stringify({kind: 'PaymentList', items: [payment(random, sensitive)]}, undefined, 2),
  },
];

/** Where the JSON string is put in as another encoder wrote it. */
const JSON_STRING: readonly Place[] = [
  {
    name: 'a JSON string',
    mediaType: 'json',
    takes: 'jsonString',
    render: (random, sensitive) => json(payment(random, slot), `"${sensitive}"`),
  },
  {
    name: 'a JSON string, in the middle of text',
    mediaType: 'json',
    takes: 'jsonString',
    render: (random, sensitive) => json(configMap(random, {note: slot}), `"paid with ${sensitive}, thanks"`),
  },
];

const JSON_NUMBER: readonly Place[] = [
  {
    name: 'a JSON number',
    mediaType: 'json',
    takes: 'jsonNumber',
    render: (random, sensitive) => json(payment(random, slot), sensitive),
  },
  {
    name: 'a list of JSON numbers',
    mediaType: 'json',
    takes: 'jsonNumber',
    render: (random, sensitive) => json(payment(random, [1, slot, random.integer(1, 99)]), sensitive),
  },
  {
    name: 'a number in the cell of a Table',
    mediaType: 'json',
    takes: 'jsonNumber',
    render: (random, sensitive) => json(table(random, slot), sensitive),
  },
  {
    name: 'a number in the frame of a watch',
    mediaType: 'json',
    takes: 'jsonNumber',
    render: (random, sensitive) => `${json({type: 'ADDED', object: payment(random, slot)}, sensitive)}\n`,
  },
  {
    name: 'a number, indented',
    mediaType: 'json',
    takes: 'jsonNumber',
    render: (random, sensitive) => JSON.stringify(payment(random, slot), undefined, 2).replace(SLOT, () => sensitive),
  },
];

function secretPlace(name: string, document: (random: Random, text: string) => unknown): Place {
  return {...stringPlace(name, document), secret: true};
}

/** The release in a Secret as Helm reads it, nothing where it is no release any more. */
function readRelease(masked: string): string {
  const {data} = JSON.parse(masked) as {data: {release: string}};
  try {
    const encoded = Buffer.from(data.release, 'base64').toString();
    return gunzipSync(Buffer.from(encoded, 'base64')).toString();
  } catch {
    return '';
  }
}

/** Each of the three ways to stand in base64. */
const shifted = (random: Random): string => random.pick(['', ' ', '; ']);

const BASE64: readonly Place[] = [
  secretPlace('the data of a Secret', (random, text) => secret(random, {card: base64(shifted(random) + text)})),
  secretPlace('a file in a Secret', (random, text) =>
    secret(random, {'app.env': base64(`${'A_SETTING=value\n'.repeat(random.integer(1, 40))}CARD=${text}\nB=2\n`)}),
  ),
  secretPlace('JSON in a Secret', (random, text) =>
    secret(random, {'credentials.json': base64(JSON.stringify({user: 'a', card: text}))}),
  ),
  secretPlace('a Secret in a list', (random, text) => ({
    kind: 'SecretList',
    items: [secret(random, {a: base64('b')}), secret(random, {card: base64(text)}), secret(random, {c: 'ZA=='})],
  })),
  secretPlace('an annotation of a Secret', (random, text) => secret(random, {}, {annotations: {note: text}})),
  secretPlace('the copy of a Secret that kubectl keeps', (random, text) =>
    secret(
      random,
      {},
      {
        annotations: {
          'kubectl.kubernetes.io/last-applied-configuration': `${JSON.stringify(secret(random, {card: base64(text)}))}\n`,
        },
      },
    ),
  ),
  secretPlace('a Secret in the frame of a watch', (random, text) => ({
    type: 'MODIFIED',
    object: secret(random, {card: base64(shifted(random) + text)}),
  })),
  {
    ...secretPlace('a Helm release', (random, text) =>
      secret(random, {
        release: base64(base64(gzipSync(JSON.stringify({name: 'checkout', config: {card: text}}), {level: 9}))),
      }),
    ),
    unpack: readRelease,
  },
  stringPlace('the binaryData of a ConfigMap', (random, text) => ({
    ...configMap(random, {a: 'b'}),
    binaryData: {'dump.bin': base64(shifted(random) + text)},
  })),
  {
    ...stringPlace('base64 in a ConfigMap, where policy asks', (random, text) =>
      configMap(random, {blob: base64(shifted(random) + text)}),
    ),
    decodeBase64: true,
  },
];

function textPlace(name: string, document: (random: Random, text: string) => string): Place {
  return {
    name,
    mediaType: 'text',
    takes: 'text',
    render: (random, sensitive) => document(random, sensitive),
  };
}

const LOGGED = '2026-03-02T10:30:00.123456789Z';

const TEXT: readonly Place[] = [
  {name: 'nothing else', mediaType: 'text', takes: 'text', render: (_, sensitive) => sensitive},
  textPlace(
    'a line of a log',
    (random, text) => `a line\n${LOGGED} INFO order=${random.integer(1, 1e6)} msg=${text}\nend\n`,
  ),
  textPlace('logfmt', (random, text) => `level=info ms=${random.integer(1, 999)} msg="${text}" user=a\n`),
  textPlace(
    'a log in JSON',
    (random, text) => `${JSON.stringify({level: 'info', n: random.integer(1, 99), msg: text})}\n`,
  ),
  textPlace('the log of a container runtime', (_, text) => `${LOGGED} stdout F ${text}\n`),
  textPlace('a terminal', (random, text) => `$ cat ${random.hex(4)}.txt\r\n${text}\r\n$ `),
  textPlace('CSV', (random, text) => `id,card,amount\r\n${random.integer(1, 999)},${text},12.50\r\n`),
  textPlace('YAML', (random, text) => `spec:\n  amount: ${random.integer(1, 999)}\n  card: ${text}\n  currency: EUR\n`),
  textPlace('XML', (random, text) => `<order id="${random.hex(6)}"><card>${text}</card></order>`),
  textPlace('a page', (_, text) => `<!doctype html><p>Card <b>${text}</b></p>`),
  textPlace(
    'an access log',
    (random, text) => `192.0.2.7 "GET /pay?n=${random.hex(4)}&card=${text}&cur=EUR HTTP/1.1" 200 15\n`,
  ),
  textPlace('SQL', (random, text) => `INSERT INTO payments VALUES (${random.integer(1, 999)}, '${text}', 'EUR');\n`),
  textPlace('a stack trace', (_, text) => `Error: declined: ${text}\n    at charge (/app/pay.js:12:34)\n`),
  textPlace('a metric', (random, text) => `declined_total{card="${text}"} ${random.integer(1, 99)}\n`),
  textPlace('a Location', (_, text) => `https://api.example.com/apis/example.com/v1/payments/${text}`),
  {
    ...textPlace(
      'base64 in a log, where policy asks',
      (random, text) => `body=${base64(shifted(random) + text)} done\n`,
    ),
    decodeBase64: true,
  },
];

export const PLACES: readonly Place[] = [...JSON_TEXT, ...JSON_STRING, ...JSON_NUMBER, ...BASE64, ...TEXT];
