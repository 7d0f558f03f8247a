import {QUOTE} from './bytes.ts';
import {PAN_MAXIMUM_DIGITS} from './pan.ts';
import type {StreamWindow} from './window.ts';

/** Looked at before the digits: the name of what they are, and, where that is of interest, the members before it. */
const NAME_BYTES = 48;
const MEMBERS_BYTES = 640;

const MEMBER = String.raw`\s*"(?:selfLink|continue|remainingItemCount|name|namespace|uid|apiVersion)":\s*(?:"[^"\\]*"|[0-9]+),`;
/**
 * The resourceVersion of an object or list as the API server writes it, after another member of its metadata or
 * reference, or as the first: a member of that name elsewhere, as in the data of a ConfigMap, has other neighbours.
 */
const RESOURCE_VERSION = new RegExp(String.raw`(?:"metadata":\s*\{|${MEMBER})\s*"resourceVersion":\s*"$`);
const RESOURCE_VERSION_NAME = '"resourceVersion":';
/** The same in the token with which a list goes on, which the API server writes as JSON in base64. */
const CONTINUE_TOKEN = '{"v":"meta.k8s.io/v1","rv":';

/** Counters of the kubelet (stats/v1alpha1), in nanoseconds of 16 digits after weeks, and in bytes. */
const COUNTER = /"[A-Za-z]*(?:Bytes|NanoSeconds|NanoCores)":\s*$/;

/** An AWS account or a Google project, of 12 digits, in an ARN, a resource name, or after a host. */
const ACCOUNT_DIGITS = 12;
const BEFORE_ACCOUNT = /\b(?:arn:aws[a-z-]*:[a-z0-9-]*:[a-z0-9-]*:|projects\/|\.amazonaws\.com\/)$/;
/** The beginning of .dkr.ecr, of the host of an AWS registry; what follows is not read yet. */
const AFTER_ACCOUNT = '.dk';

/**
 * Whether the digits at [start, end) are, by what stands around them, of a field that only the API server writes, or
 * the number of an account in a cloud. The byte after `limit`, where their word ends, is the last that is known.
 */
export function isServerField(window: StreamWindow, start: number, end: number, limit: number, json: boolean): boolean {
  if (end - start === ACCOUNT_DIGITS && window.text(end, limit + 1).startsWith(AFTER_ACCOUNT)) return true;
  const name = window.text(start - NAME_BYTES, start);
  if (name.endsWith(CONTINUE_TOKEN)) return true;
  if (end - start === ACCOUNT_DIGITS && BEFORE_ACCOUNT.test(name)) return true;
  const isPlain = end - start <= PAN_MAXIMUM_DIGITS;
  const isString = isPlain && window.byteAt(start - 1) === QUOTE && window.byteAt(end) === QUOTE;
  if (!json || !isString || !name.includes(RESOURCE_VERSION_NAME)) return false;
  return RESOURCE_VERSION.test(window.text(start - MEMBERS_BYTES, start));
}

/** Whether a JSON number that starts here is a counter of the kubelet. */
export function isCounter(window: StreamWindow, start: number): boolean {
  return COUNTER.test(window.text(start - NAME_BYTES, start));
}
