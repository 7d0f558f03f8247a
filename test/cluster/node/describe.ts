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
  describeUnless(reason, name, tests);
}

/** `describe` for tests that cannot run here for a reason, which is told in the same way; as usual where there is none. */
export function describeUnless(cannot: string | undefined, name: string, tests: () => void): void {
  if (cannot === undefined) {
    describe(name, tests);
  } else if (process.env[requireNodeVariable]) {
    test(name, () => {
      throw new Error(cannot);
    });
  } else {
    describe.skip(`${name} (skipped: ${cannot})`, tests);
  }
}
