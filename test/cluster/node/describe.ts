import {describe, test} from '@jest/globals';
import {nodeUnavailable} from './available.ts';

/** Set where tests that need a node must not be skipped (.ci/run). */
export const requireNodeVariable = 'LOCKKEEPER_REQUIRE_NODE';

const reason = await nodeUnavailable();

/**
 * `describe` for tests that need a node. On a machine that cannot run one they are skipped, and say why in their name;
 * where `LOCKKEEPER_REQUIRE_NODE` is set they fail.
 */
export function describeWithNode(name: string, tests: () => void): void {
  if (reason === undefined) {
    describe(name, tests);
  } else if (process.env[requireNodeVariable]) {
    test(name, () => {
      throw new Error(reason);
    });
  } else {
    describe.skip(`${name} (skipped: ${reason})`, tests);
  }
}
