/** For node --import: a proxy that records nothing, to measure what recording costs. */
import {registerHooks} from 'node:module';

registerHooks({
  resolve(specifier, context, nextResolve) {
    if (!specifier.endsWith('/record/command.js')) return nextResolve(specifier, context);
    return {url: new URL('unrecordedcommand.ts', import.meta.url).href, shortCircuit: true};
  },
});
