import type {Authenticator} from './authenticator.ts';
import type {AuthenticationConfiguration} from './configuration.ts';
import {parseConfiguration} from './parseconfiguration.ts';

export interface ReloadOptions {
  /** The text of the configuration file. */
  readonly readFile: () => Promise<string>;
  readonly serviceAccountIssuer: string | undefined;
  /** How often the file is looked at. */
  readonly intervalMilliseconds: number;
  /** Makes the authenticator for a configuration; each has a cache of its own, so a reload forgets every verdict. */
  readonly create: (configuration: AuthenticationConfiguration) => Authenticator;
  /** For metrics: what came of a file that changed. */
  readonly reloaded: (result: 'Applied' | 'Rejected') => void;
  readonly log: {info(message: string): void; error(message: string): void};
}

export interface ReloadingAuthenticator extends Authenticator {
  /** Stops looking at the file. */
  close(): void;
}

/**
 * An authenticator that follows its configuration file. The content is compared at an interval: file system events are
 * lost when Kubernetes swaps the symbolic link of a mounted ConfigMap. A file that cannot be used leaves the last good
 * one in force.
 *
 * @throws {ConfigurationError} where the first one cannot be used; what `readFile` throws where it cannot be read
 */
export async function reloadingAuthenticator(options: ReloadOptions): Promise<ReloadingAuthenticator> {
  const {readFile, serviceAccountIssuer, create, reloaded, log} = options;
  let seen = await readFile();
  let current = create(parseConfiguration(seen, serviceAccountIssuer));
  let lastFailure = '';
  let closed = false;
  let timer: NodeJS.Timeout | undefined;

  async function look(): Promise<void> {
    try {
      const text = await readFile();
      if (text !== seen) {
        seen = text;
        current = create(parseConfiguration(text, serviceAccountIssuer));
        reloaded('Applied');
        log.info('the authentication configuration was reloaded');
      }
      lastFailure = '';
    } catch (error) {
      const failure = error instanceof Error ? error.message : String(error);
      // Once for each failure, not once for each look.
      if (failure === lastFailure) return;
      lastFailure = failure;
      reloaded('Rejected');
      log.error(`the authentication configuration is not reloaded, the last good one stays in force: ${failure}`);
    }
  }

  function schedule(): void {
    if (closed) return;
    timer = setTimeout(() => void look().finally(schedule), options.intervalMilliseconds).unref();
  }

  schedule();
  return {
    authenticate: (token) => current.authenticate(token),
    close() {
      closed = true;
      clearTimeout(timer);
    },
  };
}
