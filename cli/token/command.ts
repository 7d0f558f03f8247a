import {Command, InvalidArgumentError} from 'commander';
import {currentToken} from './kept.ts';
import type {TokenOptions} from './request.ts';

/** `lockkeeper token`: an exec credential plugin for kubeconfigs (client.authentication.k8s.io/v1). */
export function tokenCommand(): Command {
  return new Command('token')
    .description(
      'Get a short-lived OIDC token by client credentials and print it as an ExecCredential, for the exec section of a kubeconfig.',
    )
    .requiredOption('--issuer-url <url>', 'the OIDC issuer', parseIssuerUrl)
    .requiredOption('--client-id <id>', 'the agent’s client at the issuer')
    .requiredOption('--client-secret-file <file>', 'file that holds the client’s secret')
    .option('--certificate-authority <file>', 'PEM authority of the issuer; the system’s where absent')
    .option('--resource <uri>', 'resource indicator to ask for (RFC 8707)')
    .option('--scope <scope>', 'scope to ask for')
    .action(async (options: TokenOptions) => {
      const {token, expiresAtMilliseconds} = await currentToken(options, Date.now());
      const credential = {
        apiVersion: 'client.authentication.k8s.io/v1',
        kind: 'ExecCredential',
        status: {token, expirationTimestamp: new Date(expiresAtMilliseconds).toISOString().replace(/\.\d+Z$/, 'Z')},
      };
      process.stdout.write(`${JSON.stringify(credential)}\n`);
    });
}

function parseIssuerUrl(text: string): string {
  if (URL.parse(text)?.protocol !== 'https:')
    throw new InvalidArgumentError('Want https://host, with a path or without.');
  return text;
}
