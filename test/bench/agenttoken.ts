import {execFile} from 'node:child_process';
import {readFile} from 'node:fs/promises';
import path from 'node:path';
import {promisify} from 'node:util';
import {parse} from 'yaml';

/** The token that an agent's kubeconfig gives by its exec credential plugin. */
export async function agentToken(kubeconfigPath: string, directory: string): Promise<string> {
  const kubeconfig = parse(await readFile(kubeconfigPath, 'utf8')) as {
    users: {user: {exec: {command: string; args: string[]}}}[];
  };
  const exec = kubeconfig.users[0]?.user.exec;
  if (exec === undefined) throw new Error('the kubeconfig has no exec plugin');
  const {stdout} = await promisify(execFile)(exec.command, exec.args, {
    env: {...process.env, XDG_CACHE_HOME: path.join(directory, 'cache')},
  });
  return (JSON.parse(stdout) as {status: {token: string}}).status.token;
}
