import {gzipSync} from 'node:zlib';
import {CARD_KINDS, cardPair} from './cards.ts';
import type {DocumentKind} from './places.ts';
import type {Random} from './random.ts';

/** A realistic document with numbers in it and no card. */
export interface CardFree extends DocumentKind {
  readonly name: string;
  /**
   * The digits of a card where the place says that they are none: nothing may be changed. Of all other documents what
   * is a card number by chance may be.
   */
  readonly neverCard?: true;
  render(random: Random): string;
}

const json = (value: unknown): string => JSON.stringify(value);
const base64 = (bytes: Buffer): string => bytes.toString('base64');
const repeat = (count: number, line: (index: number) => string): string =>
  Array.from({length: count}, (_, at) => line(at)).join('');

/** Digits that pass every check of a card's, to stand where no card can stand. */
function cardLike(random: Random, length: number): string {
  return cardPair(random, random.pick(CARD_KINDS.filter((kind) => kind.length === length))).one;
}

/** Hex of that length that looks like a digest, with the digits of a card in the middle. */
function digestAround(random: Random, length: number, digits: string): string {
  const before = random.integer(1, length - digits.length - 1);
  return `${random.hex(before - 1)}${random.pick(['a', 'c', 'f'])}${digits}${random.pick(['b', 'e'])}${random.hex(length - digits.length - before - 1)}`;
}

function pem(random: Random, label: string): string {
  const der = Buffer.concat([
    Buffer.from([0x30, 0x82, 0x03, 0x4f, 0x30, 0x82]),
    random.bytes(random.integer(500, 900)),
  ]);
  const lines = base64(der).match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}

const metadata = (random: Random, more: object = {}): object => ({
  name: `checkout-${random.hex(10)}-${random.hex(5)}`,
  namespace: 'payments',
  uid: random.uuid(),
  resourceVersion: random.digits(random.integer(4, 9)),
  generation: random.integer(1, 50),
  creationTimestamp: '2026-03-02T10:30:00Z',
  ...more,
});

const list = (kind: string, items: readonly unknown[], more: object = {}): string =>
  `${json({kind: `${kind}List`, apiVersion: 'v1', metadata: {resourceVersion: '812345'}, ...more, items})}\n`;

const podOf = (random: Random): object => ({
  metadata: metadata(random, {
    labels: {'pod-template-hash': random.hex(10), 'controller-revision-hash': random.hex(10)},
    annotations: {
      'checksum/config': random.hex(64),
      'prometheus.io/port': '9102',
      'example.com/build': random.digits(8),
    },
  }),
  spec: {
    containers: [
      {
        image: `registry.example.com/checkout:${random.integer(0, 20)}.${random.integer(0, 99)}.${random.integer(0, 999)}-rc.${random.digits(8)}`,
        resources: {limits: {memory: random.digits(10), cpu: `${random.integer(1, 900)}m`}},
        env: [{name: 'BUILD', value: `2026030210${random.digits(4)}`}],
        ports: [{containerPort: 8080}],
      },
    ],
    nodeName: `ip-10-0-${random.integer(0, 255)}-${random.integer(0, 255)}.example.com`,
  },
  status: {
    podIP: `10.${random.integer(0, 255)}.${random.integer(0, 255)}.${random.integer(0, 255)}`,
    containerStatuses: [
      {
        imageID: `registry.example.com/checkout@sha256:${random.hex(64)}`,
        containerID: `containerd://${random.hex(64)}`,
        restartCount: random.integer(0, 9),
      },
    ],
  },
});

const epoch = (random: Random, digits: number): string => `17${random.digits(digits - 2)}`;

const JSON_DOCUMENTS: readonly CardFree[] = [
  {name: 'pods', mediaType: 'json', render: (random) => list('Pod', [podOf(random), podOf(random), podOf(random)])},
  {
    name: 'pods, indented',
    mediaType: 'json',
    render: (random) => JSON.stringify({kind: 'Pod', ...podOf(random)}, undefined, 4),
  },
  {
    name: 'the watch of pods',
    mediaType: 'json',
    render: (random) => repeat(4, () => `${json({type: 'MODIFIED', object: podOf(random)})}\n`),
  },
  {
    name: 'a Table',
    mediaType: 'json',
    render: (random) =>
      json({
        kind: 'Table',
        rows: Array.from({length: 5}, () => ({
          cells: [
            `checkout-${random.hex(10)}`,
            '1/1',
            'Running',
            `${random.integer(1, 9)} (${random.integer(1, 59)}m ago)`,
          ],
          object: {kind: 'PartialObjectMetadata', metadata: metadata(random)},
        })),
      }),
  },
  {
    name: 'events',
    mediaType: 'json',
    render: (random) =>
      list('Event', [
        {
          metadata: metadata(random, {name: `checkout-0.${random.hex(16)}`}),
          message: `Pulled image "registry.example.com/a:1.2.3" in ${random.integer(1, 99)}.${random.digits(9)}s. Image size: ${random.digits(9)} bytes.`,
          eventTime: `2026-03-02T10:30:00.${random.digits(6)}Z`,
          count: random.integer(1, 9999),
        },
        {
          metadata: metadata(random),
          message: `Readiness probe failed: Get "http://10.0.12.7:8080/ready?at=${epoch(random, 13)}": EOF`,
        },
      ]),
  },
  {
    name: 'epochs of all units',
    mediaType: 'json',
    render: (random) =>
      list('ConfigMap', [
        {
          metadata: metadata(random),
          data: Object.fromEntries([10, 13, 16, 19].map((digits) => [`at${digits}`, epoch(random, digits)])),
        },
        {spec: Object.fromEntries([10, 13, 16, 19].map((digits) => [`at${digits}`, Number(epoch(random, digits))]))},
      ]),
  },
  {
    name: 'quantities and counters',
    mediaType: 'json',
    render: (random) =>
      list('Node', [
        {
          status: {
            capacity: {'ephemeral-storage': `${random.digits(9)}Ki`, memory: `${random.digits(8)}Ki`},
            images: [{names: [`registry.example.com/a@sha256:${random.hex(64)}`], sizeBytes: random.integer(1e6, 4e9)}],
            allocatable: {'ephemeral-storage': random.digits(11)},
          },
        },
      ]),
  },
  {
    name: 'floats',
    mediaType: 'json',
    render: (random) =>
      json(
        Array.from({length: 30}, () => [
          Number(`${random.integer(0, 999)}.${random.digits(15)}`),
          random.integer(0, 1e9) / 3e5,
        ]),
      ),
  },
  {
    name: 'certificates and keys',
    mediaType: 'json',
    render: (random) => list('ConfigMap', [{metadata: metadata(random), data: {'ca.crt': pem(random, 'CERTIFICATE')}}]),
  },
  {
    name: 'Secrets of certificates, tokens and images',
    mediaType: 'json',
    secret: true,
    render: (random) =>
      list('Secret', [
        {
          metadata: metadata(random),
          data: {
            'tls.crt': base64(Buffer.from(pem(random, 'CERTIFICATE'))),
            'tls.key': base64(Buffer.from(pem(random, 'PRIVATE KEY'))),
            token: base64(Buffer.from(`${random.text('abcXYZ0123456789', 40)}.${random.hex(80)}`)),
            'logo.png': base64(Buffer.concat([Buffer.from('\u0089PNG\r\n\u001a\n', 'latin1'), random.bytes(1500)])),
            password: base64(Buffer.from(random.text('abcdefghijk0123456789!$', 24))),
            revision: base64(Buffer.from(random.digits(8))),
          },
        },
      ]),
  },
  {
    name: 'a release of Helm',
    mediaType: 'json',
    secret: true,
    render: (random) => {
      const manifest = repeat(random.integer(1, 8), () => `---\n${json(podOf(random))}\n`);
      const templates = [{name: 'templates/ca.yaml', data: base64(Buffer.from(pem(random, 'CERTIFICATE')))}];
      const release = json({name: 'checkout', version: random.integer(1, 99), chart: {templates}, manifest});
      const packed = gzipSync(release, {level: random.integer(1, 9)});
      return list('Secret', [{metadata: metadata(random), data: {release: base64(Buffer.from(base64(packed)))}}]);
    },
  },
  {
    name: 'gzip in binaryData, some of it cut off',
    mediaType: 'json',
    render: (random) => {
      const packed = gzipSync(repeat(20, () => `${json(podOf(random))}\n`));
      const part = packed.subarray(0, random.integer(1, 2 * packed.length));
      return list('ConfigMap', [{metadata: metadata(random), binaryData: {'pods.json.gz': base64(part)}}]);
    },
  },
  {
    name: 'binaryData',
    mediaType: 'json',
    render: (random) =>
      list('ConfigMap', [{metadata: metadata(random), binaryData: {keystore: base64(random.bytes(2000))}}]),
  },
  {
    name: 'what is named like a code and is none',
    mediaType: 'json',
    render: (random) =>
      list('ConfigMap', [
        {
          data: {
            'rules.json': json({
              minCvv: 3,
              maxCvv: 4,
              cvvRequired: true,
              cvv: null,
              cvvLength: random.integer(3, 4),
              cvc: '',
            }),
            'schema.log': `cvc-complex-type.2.4.a: Invalid content was found at line ${random.integer(100, 999)}`,
            pinned: String(random.integer(1000, 9999)),
            'pin-count': random.digits(4),
          },
        },
        {spec: {cvv: null, cvc: {required: true}, cvvAttempts: random.integer(100, 999), pinblock: null}},
      ]),
  },
  {
    name: 'the statistics of a kubelet',
    mediaType: 'json',
    neverCard: true,
    render: (random) =>
      json({
        node: {
          cpu: {
            time: '2026-03-02T10:30:00Z',
            usageNanoCores: random.integer(1, 1e9),
            usageCoreNanoSeconds: Number(cardLike(random, 16)),
          },
          memory: {workingSetBytes: random.integer(1e9, 9e9)},
          network: {rxBytes: Number(cardLike(random, 16)), txBytes: Number(cardLike(random, 13))},
        },
      }),
  },
  {
    name: 'resourceVersions of a managed cluster',
    mediaType: 'json',
    neverCard: true,
    render: (random) =>
      list('Pod', [{metadata: metadata(random, {resourceVersion: cardLike(random, 16)})}], {
        metadata: {resourceVersion: cardLike(random, random.pick([16, 18, 19]))},
      }),
  },
  {
    name: 'a bookmark of a managed cluster',
    mediaType: 'json',
    neverCard: true,
    render: (random) =>
      `${json({type: 'BOOKMARK', object: {kind: 'Pod', apiVersion: 'v1', metadata: {resourceVersion: cardLike(random, 16), creationTimestamp: null}}})}\n`,
  },
  {
    name: 'UIDs of digits',
    mediaType: 'json',
    neverCard: true,
    render: (random) => {
      const uid = (): string =>
        `${random.digits(8)}-${random.digits(4)}-4${random.digits(3)}-9${random.digits(3)}-${cardLike(random, 12)}`;
      return list('Pod', [
        {metadata: {...metadata(random), uid: uid(), ownerReferences: [{kind: 'ReplicaSet', uid: uid()}]}},
      ]);
    },
  },
  {
    name: 'digests',
    mediaType: 'json',
    neverCard: true,
    render: (random) =>
      list('Pod', [
        {
          metadata: metadata(random, {
            annotations: {'checksum/config': digestAround(random, 64, cardLike(random, 16))},
          }),
          status: {
            containerStatuses: [
              {
                imageID: `registry.example.com/a@sha256:${digestAround(random, 64, cardLike(random, 19))}`,
                containerID: `containerd://${digestAround(random, 64, cardLike(random, 13))}`,
              },
            ],
          },
        },
      ]),
  },
  {
    name: 'accounts in ARNs and image hosts',
    mediaType: 'json',
    neverCard: true,
    render: (random) => {
      const account = cardLike(random, 12);
      return list('Pod', [
        {
          metadata: metadata(random, {
            annotations: {'eks.amazonaws.com/role-arn': `arn:aws:iam::${account}:role/checkout`},
          }),
          spec: {containers: [{image: `${account}.dkr.ecr.eu-central-1.amazonaws.com/checkout:1.4.2`}]},
        },
        {
          data: {
            queue: `https://sqs.eu-central-1.amazonaws.com/${account}/orders`,
            topic: `arn:aws:sns:eu-central-1:${account}:orders`,
          },
        },
      ]);
    },
  },
  {
    name: 'fractions',
    mediaType: 'json',
    neverCard: true,
    render: (random) =>
      `{"ratio":0.${cardLike(random, 16)},"mean":12.${cardLike(random, 15)},"text":"0.${cardLike(random, 16)}"}`,
  },
];

const line = (random: Random): string => `2026-03-02T10:30:0${random.integer(0, 9)}.${random.digits(9)}Z`;

const TEXT_DOCUMENTS: readonly CardFree[] = [
  {
    name: 'a log',
    mediaType: 'text',
    render: (random) =>
      repeat(
        20,
        () =>
          `${line(random)} INFO path=/orders/${random.digits(8)} status=200 ms=${random.integer(1, 999)} trace=${random.hex(32)}\n`,
      ),
  },
  {
    name: 'a log in JSON',
    mediaType: 'text',
    render: (random) =>
      repeat(
        10,
        () =>
          `${json({ts: Number(`${epoch(random, 10)}.${random.digits(6)}`), level: 'info', span: random.hex(16), bytes: random.integer(1, 1e9)})}\n`,
      ),
  },
  {
    name: 'the log of a component',
    mediaType: 'text',
    render: (random) =>
      repeat(
        10,
        () =>
          `I0302 10:30:00.${random.digits(6)}    ${random.integer(1000, 9999)} reconciler.go:${random.integer(100, 999)}] "Synced" pod="payments/checkout-${random.hex(5)}" took="${random.integer(1, 99)}.${random.digits(6)}ms"\n`,
      ),
  },
  {
    name: 'the journal',
    mediaType: 'text',
    render: (random) =>
      repeat(
        10,
        () =>
          `Mar 02 10:30:00 node-${random.integer(1, 40)} kernel: [${random.digits(6)}.${random.digits(6)}] audit: type=1400 audit(${epoch(random, 10)}.${random.digits(3)}:${random.integer(1, 9999)}): pid=${random.digits(5)}\n`,
      ),
  },
  {
    name: 'metrics',
    mediaType: 'text',
    render: (random) =>
      repeat(
        20,
        (at) =>
          `http_request_duration_seconds_bucket{code="200",le="${at / 8}"} ${random.integer(1, 1e9)}\nprocess_start_time_seconds 1.7${random.digits(8)}e+09\nprocess_virtual_memory_bytes ${random.integer(0, 9)}.${random.digits(8)}e+09\n`,
      ),
  },
  {
    name: 'epochs of all units, as text',
    mediaType: 'text',
    render: (random) => [10, 13, 16, 19].map((digits) => `at ${epoch(random, digits)}, `).join(''),
  },
  {
    name: 'versions and addresses',
    mediaType: 'text',
    render: (random) =>
      repeat(
        10,
        () =>
          `v${random.integer(0, 30)}.${random.integer(0, 99)}.${random.integer(0, 99)}-2026030210${random.digits(4)}-${random.hex(12)} 10.${random.integer(0, 255)}.4.${random.integer(0, 255)}:${random.digits(5)} 2001:db8:${random.hex(4)}:${random.hex(4)}::1\n`,
      ),
  },
  {
    name: 'commits and digests',
    mediaType: 'text',
    render: (random) =>
      repeat(10, () => `${random.hex(40)} ${random.hex(7)} sha256:${random.hex(64)} ${random.hex(32)}  dump.sql\n`),
  },
  {
    name: 'a certificate',
    mediaType: 'text',
    render: (random) =>
      `${pem(random, 'CERTIFICATE')}Serial Number: ${(random.hex(32).match(/../g) ?? []).join(':')}\n`,
  },
  {
    name: 'a page of devices',
    mediaType: 'text',
    render: (random) =>
      repeat(
        8,
        () =>
          `IMEI 35${random.digits(13)} phone +49 151 ${random.digits(8)} MAC ${(random.hex(12).match(/../g) ?? []).join(':')}\n`,
      ),
  },
  {
    name: 'a table of numbers',
    mediaType: 'text',
    render: (random) =>
      repeat(
        10,
        () =>
          `${random.digits(3)}   ${random.digits(5)} ${random.digits(4)}  ${random.digits(7)}\t${random.digits(2)} ${random.digits(6)}\n`,
      ),
  },
  {
    name: 'ls',
    mediaType: 'text',
    render: (random) =>
      repeat(10, () => `-rw-r--r-- 1 1000 1000 ${random.digits(10)} Mar  2 10:30 core.${random.digits(5)}\r\n`),
  },
  {
    name: 'the columns of df',
    mediaType: 'text',
    render: (random) =>
      repeat(
        6,
        () =>
          `/dev/nvme0n1p1 ${random.digits(9)} ${random.digits(8)} ${random.digits(9)} ${random.integer(1, 99)}% /\n`,
      ),
  },
  {
    name: 'bank accounts',
    mediaType: 'text',
    render: (random) => repeat(6, () => `DE89 3704 0044 ${random.digits(4)} ${random.digits(4)} ${random.digits(2)}\n`),
  },
  {
    name: 'what is named like a code and is none, as text',
    mediaType: 'text',
    render: (random) =>
      `cvc-complex-type.2.4.a: line ${random.integer(100, 999)}\nminCvv=3 cvvRequired=true cvv=null cvv= cvv_len=${random.integer(100, 999)}\ncvv check took ${random.integer(100, 999)} ms\n`,
  },
  {
    name: 'a trace',
    mediaType: 'text',
    neverCard: true,
    render: (random) =>
      `traceparent: 00-${digestAround(random, 32, cardLike(random, 16))}-00f067aa0ba902b7-01\ncommit ${digestAround(random, 40, cardLike(random, 16))}\n`,
  },
  {
    name: 'fractions, as text',
    mediaType: 'text',
    neverCard: true,
    render: (random) =>
      `ratio=0.${cardLike(random, 16)} mean=-12.${cardLike(random, 15)}e-05 x=3.${cardLike(random, 14)}\n`,
  },
  {
    name: 'accounts, as text',
    mediaType: 'text',
    neverCard: true,
    render: (random) =>
      `pulled ${cardLike(random, 12)}.dkr.ecr.eu-central-1.amazonaws.com/a:1 as arn:aws:sts::${cardLike(random, 12)}:assumed-role/x\n`,
  },
];

export const CARD_FREE: readonly CardFree[] = [...JSON_DOCUMENTS, ...TEXT_DOCUMENTS];
