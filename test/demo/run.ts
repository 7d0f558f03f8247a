/**
 * `make run`: keeps Lockkeeper up for a person to try, against the embedded cluster or the one of `--kubeconfig`, and
 * prints a line for each decision.
 */
import path from 'node:path';
import {parseArgs} from 'node:util';
import winston from 'winston';
import {root} from '../environment/environment.ts';
import {startLocal} from '../environment/local.ts';
import {followDecisions} from './follow.ts';

const {values} = parseArgs({
  options: {
    kubeconfig: {type: 'string'},
    json: {type: 'boolean', default: false},
    port: {type: 'string', default: '8443'},
  },
});

const {combine, timestamp, json, printf} = winston.format;
const line = printf((info) => `${info.timestamp}  ${info.message}`);
const log = winston.createLogger({
  format: values.json ? combine(timestamp(), json()) : combine(timestamp({format: 'HH:mm:ss'}), line),
  transports: [new winston.transports.Console()],
});

const stopping = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => stopping.abort());

try {
  const local = await startLocal({
    directory: path.join(root, '.lockkeeper'),
    kubeconfig: values.kubeconfig,
    gatewayPort: Number(values.port),
    log: (message) => log.info(message),
  });
  const {agent, approver, admin} = local.kubeconfigs;
  const relative = (file: string) => path.relative(process.cwd(), file);
  log.info(`agent:     kubectl --kubeconfig ${relative(agent)} -n payments get pods`);
  log.info(`approver:  kubectl --kubeconfig ${relative(approver)} -n payments get accessrequests`);
  log.info(`admin:     kubectl --kubeconfig ${relative(admin)} get agentaccesspolicies --all-namespaces`);
  log.info(`audit log: ${relative(local.environment.auditLogPath)}`);
  log.info('Ctrl-C ends it. Decisions follow.');
  await followDecisions(local.environment.auditLogPath, stopping.signal, (decision, fields) =>
    log.info(decision, values.json ? fields : undefined),
  );
  await local.stop();
} catch (error) {
  log.error(`run: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}
