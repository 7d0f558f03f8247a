/** How one file of tests came out. */
export interface FileResult {
  readonly file: string;
  readonly cases: readonly CaseResult[];
  /** Why its tests could not be run. */
  readonly error?: string;
}

export interface CaseResult {
  readonly name: string;
  /** What came out otherwise, each with its place in the file; none where the test passed. */
  readonly failures: readonly string[];
}

export interface Totals {
  readonly passed: number;
  readonly failed: number;
}

export function totalsOf(results: readonly FileResult[]): Totals {
  const cases = results.flatMap((result) => result.cases);
  const failed = cases.filter(({failures}) => failures.length > 0).length;
  return {passed: cases.length - failed, failed: failed + results.filter(({error}) => error !== undefined).length};
}

/** For people: a line for each test, and below it what came out otherwise. */
export function text(results: readonly FileResult[]): string {
  const lines = results.flatMap(({file, cases, error}) => [
    ...cases.flatMap(({name, failures}) => [
      `${failures.length === 0 ? 'ok  ' : 'FAIL'} ${file}: ${name}`,
      ...failures.map((failure) => `       ${failure}`),
    ]),
    ...(error === undefined ? [] : [`FAIL ${error}`]),
  ]);
  const {passed, failed} = totalsOf(results);
  return [...lines, `${passed} passed, ${failed} failed`, ''].join('\n');
}

/** For CI: the XML that JUnit's readers share, a suite for each file. */
export function junit(results: readonly FileResult[]): string {
  const {passed, failed} = totalsOf(results);
  const suites = results.map((result) => {
    const {passed: own, failed: ownFailed} = totalsOf([result]);
    const counts = `tests="${own + ownFailed}" failures="${ownFailed}" errors="0" skipped="0"`;
    const cases = [
      ...result.cases,
      ...(result.error === undefined ? [] : [{name: 'the file can be read', failures: [result.error]}]),
    ];
    return [
      `  <testsuite name="${escaped(result.file)}" ${counts}>`,
      ...cases.map((each) => testCase(result.file, each)),
      '  </testsuite>',
    ].join('\n');
  });
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites name="lockkeeper policy test" tests="${passed + failed}" failures="${failed}">`,
    ...suites,
    '</testsuites>',
    '',
  ].join('\n');
}

function testCase(file: string, {name, failures}: CaseResult): string {
  const open = `    <testcase classname="${escaped(file)}" name="${escaped(name)}"`;
  const [first] = failures;
  if (first === undefined) return `${open}/>`;
  return `${open}>\n      <failure message="${escaped(first)}">${escaped(failures.join('\n'))}</failure>\n    </testcase>`;
}

const named: Readonly<Record<string, string>> = {'&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', '\n': '&#10;'};

/** XML has no way to write the other control characters at all. */
function escaped(text: string): string {
  return text
    .replace(/(?![\t\n\r])\p{Cc}|\p{Cs}|[\ufffe\uffff]/gu, '\ufffd')
    .replace(/[&<>"\n]/g, (character) => named[character] ?? character);
}
