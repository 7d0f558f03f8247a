/*
 * AssemblyScript, not TypeScript: the part of masking that reads every byte, 16 at a time. `generate.ts` compiles it to
 * module.ts; scanner.ts calls it and says where in the memory everything lies.
 *
 * What it lists may be more than there is, never less: it is read again by code that knows the rules.
 */

/** The bytes to read; before them 16 that came earlier, behind them 64 of value 0. */
const INPUT: usize = 0x10000;
/** Pairs of start and end. */
const STRETCHES: usize = 0x20000;
const MARKERS: usize = 0x28000;
const NAMES: usize = 0x38000;
/** Where `yData` stands, with which the name `binaryData` ends. */
const DATA: usize = 0x48000;
/** How many numbers stand at each of these. */
const STRETCH_COUNT: usize = 0;
const MARKER_COUNT: usize = 4;
const NAME_COUNT: usize = 8;
const DATA_COUNT: usize = 12;
/** 1 at the first bytes of characters of interest beyond ASCII, and at the low six bits of the first two together. */
const LEADS: usize = 0x100;
const PAIRS: usize = 0x1000;

const STRETCH_BYTES: i32 = 12;

/*
 * Tables of 16 bytes, looked up by the low and the high four bits of a byte. They are loaded from memory before each
 * loop, since V8 makes constants of 16 bytes anew where they are used: that took two thirds of the time.
 */

const NIBBLES: usize = memory.data<u8>([15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15], 16);

/** Classes of bytes: 1 digits, 2 separators, 4 per cent and ampersand, 8 backslash, 16 escape, 32 return, 64 no ASCII. */
const CLASSES: usize = memory.data<u8>([
  67, 65, 65, 65, 65, 69, 69, 65, 65, 65, 64, 82, 72, 98, 66, 64,
  32, 16, 6, 1, 0, 8, 0, 0, 64, 64, 64, 64, 64, 64, 64, 64,
], 16);
const CANDIDATES: usize = memory.data<u8>([3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3], 16);
const JSON_MARKER: i8 = 4 | 8 | 64;
const TEXT_MARKER: i8 = 4 | 8 | 16 | 32 | 64;

/**
 * Three letters of each name of a verification code or PIN block, of either case, and of `binaryData` as it is written;
 * the bits tell them apart:
 * 1: cvv, cvc, cvn   2: cav   4: cid   8: csc   16: verRIFication   32: secURIty   64: pin   128: binaryData
 */
const LETTERS: usize = memory.data<u8>([
  64, 0, 16, 15, 0, 32, 0, 0, 0, 128, 0, 0, 0, 0, 0, 0,
  0, 0, 0, 0, 15, 112, 15, 240, 0, 0, 0, 0, 0, 0, 0, 0,
  0, 2, 32, 8, 128, 0, 1, 0, 0, 84, 0, 0, 0, 0, 0, 0,
  0, 0, 0, 0, 214, 41, 86, 41, 0, 0, 0, 0, 0, 0, 0, 0,
  0, 128, 0, 9, 4, 0, 19, 0, 0, 32, 0, 0, 0, 0, 65, 0,
  0, 0, 0, 0, 125, 3, 253, 3, 0, 0, 0, 0, 0, 0, 0, 0,
], 16);

/**
 * Lists all that is looked for: stretches of at least 12 digits and separators, and one at the end however short; places at
 * which a card number may be that is not written plainly; and names, of which the three letters may stand in the bytes
 * before.
 *
 * It is one loop for all, as what they share, and to keep the tables at hand, makes up for its length.
 *
 * @param isText whether terminal sequences and line wraps are markers
 */
export function scan(length: i32, isText: bool): void {
  const nibble = v128.load(NIBBLES);
  const classLow = v128.load(CLASSES);
  const classHigh = v128.load(CLASSES, 16);
  const candidateClasses = v128.load(CANDIDATES);
  const markerClasses = i8x16.splat(isText ? TEXT_MARKER : JSON_MARKER);
  const firstLow = v128.load(LETTERS);
  const firstHigh = v128.load(LETTERS, 16);
  const secondLow = v128.load(LETTERS, 32);
  const secondHigh = v128.load(LETTERS, 48);
  const thirdLow = v128.load(LETTERS, 64);
  const thirdHigh = v128.load(LETTERS, 80);
  store<i32>(MARKER_COUNT, 0);
  store<i32>(NAME_COUNT, 0);
  store<i32>(DATA_COUNT, 0);
  let stretches = STRETCHES;
  /** Where the stretch starts that goes up to here, if there is one. */
  let open: i32 = 0;

  let low = lowOf(v128.load(INPUT - 16), nibble);
  let high = highOf(v128.load(INPUT - 16), nibble);
  // The first two letters of names: those of 16 bytes and of the 16 before them in turn.
  let first = lookUp(firstLow, firstHigh, low, high);
  let second = lookUp(secondLow, secondHigh, low, high);
  let firstNext: v128;
  let secondNext: v128;
  const nothing = i8x16.splat(0);
  addNames(bits(meet(nothing, first, nothing, second, lookUp(thirdLow, thirdHigh, low, high))), -18, length);

  for (let at: i32 = 0; at < length; at += 64) {
    low = lowOf(v128.load(INPUT + at), nibble);
    high = highOf(v128.load(INPUT + at), nibble);
    const classes1 = lookUp(classLow, classHigh, low, high);
    firstNext = lookUp(firstLow, firstHigh, low, high);
    secondNext = lookUp(secondLow, secondHigh, low, high);
    const names1 = meet(first, firstNext, second, secondNext, lookUp(thirdLow, thirdHigh, low, high));

    low = lowOf(v128.load(INPUT + at, 16), nibble);
    high = highOf(v128.load(INPUT + at, 16), nibble);
    const classes2 = lookUp(classLow, classHigh, low, high);
    first = lookUp(firstLow, firstHigh, low, high);
    second = lookUp(secondLow, secondHigh, low, high);
    const names2 = meet(firstNext, first, secondNext, second, lookUp(thirdLow, thirdHigh, low, high));

    low = lowOf(v128.load(INPUT + at, 32), nibble);
    high = highOf(v128.load(INPUT + at, 32), nibble);
    const classes3 = lookUp(classLow, classHigh, low, high);
    firstNext = lookUp(firstLow, firstHigh, low, high);
    secondNext = lookUp(secondLow, secondHigh, low, high);
    const names3 = meet(first, firstNext, second, secondNext, lookUp(thirdLow, thirdHigh, low, high));

    low = lowOf(v128.load(INPUT + at, 48), nibble);
    high = highOf(v128.load(INPUT + at, 48), nibble);
    const classes4 = lookUp(classLow, classHigh, low, high);
    first = lookUp(firstLow, firstHigh, low, high);
    second = lookUp(secondLow, secondHigh, low, high);
    const names4 = meet(firstNext, first, secondNext, second, lookUp(thirdLow, thirdHigh, low, high));

    if (v128.any_true(any(names1, names2, names3, names4))) {
      addNames(wordOf(names1, names2, names3, names4), at - 2, length);
    }
    if (v128.any_true(v128.and(any(classes1, classes2, classes3, classes4), markerClasses))) {
      addMarkers(wordOfClasses(classes1, classes2, classes3, classes4, markerClasses), at, length);
    }

    const others = ~wordOfClasses(classes1, classes2, classes3, classes4, candidateClasses);
    // It is all of one stretch, which goes on.
    if (others == 0) continue;
    const head = <i32>ctz(others);
    // The beginnings of twelve candidates in a row.
    let row = ~others & (~others >> 1);
    row &= row >> 2;
    row &= row >> 4;
    row &= row >> 4;
    if (row != 0 || at + head - open >= STRETCH_BYTES) {
      stretches = addStretch(stretches, open, at + head, length);
      row = (row >> head) << head;
      while (row != 0) {
        const start = ctz(row);
        if (others >> start == 0) break;
        const end = start + ctz(others >> start);
        stretches = addStretch(stretches, at + <i32>start, at + <i32>end, length);
        row &= ~(<u64>0) << end;
      }
    }
    open = at + 64 - <i32>clz(others);
  }
  if (open >= length) open = lastStart(length);
  const isListed = stretches > STRETCHES && load<i32>(stretches - 4) == length;
  if (open < length && !isListed) stretches = addStretch(stretches, open, length, length);
  store<i32>(STRETCH_COUNT, <i32>(stretches - STRETCHES) >> 2);
}

// @ts-ignore: a decorator of AssemblyScript
@inline
function lowOf(block: v128, nibble: v128): v128 {
  return v128.and(block, nibble);
}

// @ts-ignore: a decorator of AssemblyScript
@inline
function highOf(block: v128, nibble: v128): v128 {
  return v128.and(v128.shr<u16>(block, 4), nibble);
}

// @ts-ignore: a decorator of AssemblyScript
@inline
function lookUp(lowTable: v128, highTable: v128, low: v128, high: v128): v128 {
  return v128.and(i8x16.relaxed_swizzle(lowTable, low), i8x16.relaxed_swizzle(highTable, high));
}

// @ts-ignore: a decorator of AssemblyScript
@inline
function any(first: v128, second: v128, third: v128, fourth: v128): v128 {
  return v128.or(v128.or(first, second), v128.or(third, fourth));
}

/** A bit for each of 64 bytes that is not zero. */
// @ts-ignore: a decorator of AssemblyScript
@inline
function wordOf(first: v128, second: v128, third: v128, fourth: v128): u64 {
  return ~(zeros(first) | zeros(second) << 16 | zeros(third) << 32 | zeros(fourth) << 48);
}

/** A bit for each of 64 bytes that is of these classes. */
// @ts-ignore: a decorator of AssemblyScript
@inline
function wordOfClasses(first: v128, second: v128, third: v128, fourth: v128, classes: v128): u64 {
  return wordOf(v128.and(first, classes), v128.and(second, classes), v128.and(third, classes), v128.and(fourth, classes));
}

// @ts-ignore: a decorator of AssemblyScript
@inline
function zeros(lanes: v128): u64 {
  return <u64>(<u32>i8x16.bitmask(i8x16.eq(lanes, i8x16.splat(0))));
}

// @ts-ignore: a decorator of AssemblyScript
@inline
function bits(lanes: v128): u64 {
  return ~zeros(lanes) & 0xffff;
}

/** @param lanes a bit for each place, from `at` on */
function addMarkers(lanes: u64, at: i32, length: i32): void {
  while (lanes != 0) {
    const place = at + <i32>ctz(lanes);
    lanes &= lanes - 1;
    if (isMarker(place, length)) add(MARKERS, MARKER_COUNT, place);
  }
}

/** Where the stretch starts that the bytes end with, if it is a short one. */
function lastStart(length: i32): i32 {
  let at = length;
  while (at > 0 && length - at < STRETCH_BYTES && isCandidate(load<u8>(INPUT + at - 1))) at--;
  return at;
}

function isCandidate(byte: u8): bool {
  return byte - 0x30 < 10 || byte == 0x20 || byte == 0x2b || byte == 0x2d || byte == 0x2e;
}

function addStretch(to: usize, start: i32, end: i32, length: i32): usize {
  if (end - start < STRETCH_BYTES && end != length) return to;
  store<i32>(to, start);
  store<i32>(to + 4, end);
  return to + 8;
}

/** Whether the next byte does not say that it is none. */
function isMarker(place: i32, length: i32): bool {
  const byte = load<u8>(INPUT + place);
  if (place + 1 >= length) return byte < 0x80 || load<u8>(LEADS + byte) == 1;
  const next = load<u8>(INPUT + place + 1);
  switch (byte) {
    case 0x5c: // \u
      return next == 0x75;
    case 0x25: // % and a hex digit
      return next - 0x30 < 10 || (next | 0x20) - 0x61 < 6;
    case 0x26: // & and what begins a reference
      return next == 0x23 || isLetter(next);
    case 0x1b: // what a terminal does
      return next == 0x5b;
    case 0x0d: // a line wrap
      return next == 0x0a;
    default:
      return load<u8>(LEADS + byte) == 1
        && (next & 0xc0) == 0x80
        && load<u8>(PAIRS + ((<usize>byte & 0x3f) << 6 | (next & 0x3f))) == 1;
  }
}

/** Where the three letters of a name meet: the first two come from one and two bytes before the third. */
// @ts-ignore: a decorator of AssemblyScript
@inline
function meet(firstBefore: v128, first: v128, secondBefore: v128, second: v128, third: v128): v128 {
  return v128.and(
    v128.and(
      i8x16.shuffle(firstBefore, first, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29),
      i8x16.shuffle(secondBefore, second, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30)),
    third);
}

/** @param lanes a bit for each place, from `at` on */
function addNames(lanes: u64, at: i32, length: i32): void {
  while (lanes != 0) {
    const place = at + <i32>ctz(lanes);
    lanes &= lanes - 1;
    if (load<u8>(INPUT + place) == 0x79) add(DATA, DATA_COUNT, place); // y
    else if (isName(place, length)) add(NAMES, NAME_COUNT, place);
  }
}

function add(list: usize, count: usize, place: i32): void {
  const index = load<i32>(count);
  store<i32>(list + (<usize>index << 2), place);
  store<i32>(count, index + 1);
}

/** Whether the letters behind the three are those of the name, as far as the bytes go. */
function isName(place: i32, length: i32): bool {
  switch (lowerAt(place)) {
    case 0x72: // r
      return goesOn(place, length, 8, 0x6f) && isWhatFollows(place + 10, length); // o
    case 0x75: // u
      return goesOn(place, length, 4, 0x79) && isWhatFollows(place + 5, length); // y
    case 0x70: // p
      return goesOn(place, length, 3, 0x62) || goesOn(place, length, 4, 0x62); // b
    default: {
      const end = place + 3;
      if (end >= length) return true;
      const next = load<u8>(INPUT + end);
      return next == 0x32 || !isWord(next); // 2
    }
  }
}

/** Whether the letter of this number, from the first of the three on, is this one. */
function goesOn(place: i32, length: i32, letter: i32, lower: u8): bool {
  return place + letter >= length || lowerAt(place + letter) == lower;
}

/** Value, code or number, with a separator before it or without. */
function isWhatFollows(place: i32, length: i32): bool {
  let at = place;
  if (at < length && !isWord(load<u8>(INPUT + at))) at++;
  if (at < length && load<u8>(INPUT + at) == 0x5f) at++;
  if (at + 2 >= length) return true;
  const letters = <u32>lowerAt(at) << 16 | <u32>lowerAt(at + 1) << 8 | lowerAt(at + 2);
  return letters == 0x76616c || letters == 0x636f64 || letters == 0x6e756d; // val, cod, num
}

function lowerAt(place: i32): u8 {
  return load<u8>(INPUT + place) | 0x20;
}

function isWord(byte: u8): bool {
  return isLetter(byte) || byte - 0x30 < 10 || byte == 0x5f;
}

function isLetter(byte: u8): bool {
  return (byte | 0x20) - 0x61 < 26;
}
