import {randomUUID} from 'node:crypto';
import {readFile} from 'node:fs/promises';
import {setTimeout as sleep} from 'node:timers/promises';
import {EventEncoder} from '../core/audit/event.ts';
import {maskText, textMasker} from '../core/mask/createmasker.ts';
import {failure} from '../core/status.ts';
import {changedCertificate, readCertificate} from '../serve/certificate.ts';
import {listening} from '../serve/flags.ts';
import {serveObservation} from '../serve/observation.ts';
import type {ProcessContext} from '../serve/process.ts';
import {startCheckpoints} from './audit/checkpoint.ts';
import {type AuditLogHooks, openAuditLog} from './audit/log.ts';
import {createAuthenticator} from './authenticate/authenticator.ts';
import {fetchDocument} from './authenticate/document.ts';
import {reloadingAuthenticator} from './authenticate/reload.ts';
import {Bundles} from './authorize/bundles.ts';
import {LiveGrants} from './authorize/grants.ts';
import {LiveCalls} from './authorize/live.ts';
import type {ProxyConfiguration} from './configuration.ts';
import {ControlClient} from './control/client.ts';
import {followBundles} from './control/subscription.ts';
import {clusterKeys} from './forward/clusterkeys.ts';
import {tokenFile} from './forward/credential.ts';
import {impersonation, ownIdentity} from './forward/headers.ts';
import {multiplexedTransport} from './forward/multiplexed.ts';
import {pooledTransport} from './forward/pooled.ts';
import type {Relay} from './forward/relay.ts';
import {requestPath} from './path/path.ts';
import {recordUnreadable} from './path/unreadable.ts';
import {listen} from './serve/listener.ts';
import {Metrics} from './serve/metrics.ts';
import type {StreamRelay} from './stream/session.ts';

const fileCheckMilliseconds = 5_000;
const checkpointMilliseconds = 10_000;
/** What ends a stream is acted on within 2 s: this, and the time that a sweep over all of them takes. */
const sweepMilliseconds = 250;

/** Runs the proxy until the signal, then drains it. Rejects where it cannot start; the message says what to mend. */
export async function runProxy(configuration: ProxyConfiguration, {log, signal}: ProcessContext): Promise<void> {
  const metrics = new Metrics();
  const proxy = configuration.proxyId;
  const certificateFiles = {
    certificateFile: configuration.tlsCertificateFile,
    keyFile: configuration.tlsPrivateKeyFile,
  };
  let certificate = await readCertificate(certificateFiles);
  const upstreamCa = await readFile(configuration.upstreamCaFile);
  const target = {origin: configuration.upstreamUrl, tls: {ca: upstreamCa}};
  const credential = await tokenFile(configuration.upstreamTokenFile, {
    rereadMilliseconds: fileCheckMilliseconds,
    onError: (error) => log.warn('upstream token not read again', {error: String(error)}),
  });
  const control = new ControlClient({
    origin: configuration.controlUrl,
    ca: configuration.controlCaFile === undefined ? undefined : await readFile(configuration.controlCaFile),
    tokenFile: configuration.controlTokenFile,
    proxy,
  });
  const bundles = new Bundles({maximumStalenessSeconds: configuration.maximumStalenessSeconds, now: Date.now});
  const auditLog = await openAuditLog(configuration.auditLogFile, {
    // A log that was moved away is followed by another chain, not by the same one from 0.
    newOrigin: `${proxy}-${randomUUID().slice(0, 8)}`,
    hooks: auditHooks(metrics, log),
  });
  const pooled = pooledTransport(target);
  const multiplexed = multiplexedTransport(target, Date.now);
  const longRunning = new Set<Relay>();
  const streams = new Set<StreamRelay>();
  const identity = configuration.mode === 'gateway' ? impersonation() : ownIdentity;
  const authenticator = await reloadingAuthenticator({
    readFile: () => readFile(configuration.authenticationConfig, 'utf8'),
    serviceAccountIssuer: configuration.serviceAccountIssuer,
    intervalMilliseconds: fileCheckMilliseconds,
    create: (authentication) =>
      createAuthenticator({
        configuration: authentication,
        maximumTokenLifetimeSeconds: configuration.maximumTokenLifetimeSeconds,
        fetch: fetchDocument,
        fetchServiceAccountKeys: (keySignal) => clusterKeys(target, credential, keySignal),
        now: Date.now,
        log,
      }),
    reloaded: (result) => metrics.authenticationReloads.inc({result}),
    log,
  });

  const onInternalError = (error: unknown) =>
    log.error('internal error', {error: error instanceof Error ? error.stack : error});
  const live = new LiveCalls({
    bundles,
    grants: new LiveGrants({
      control,
      maximumStalenessSeconds: configuration.maximumStalenessSeconds,
      now: Date.now,
      random: Math.random,
      pause: (milliseconds, until) => sleep(milliseconds, undefined, {signal: until, ref: false}).catch(() => {}),
    }),
    now: () => new Date(),
    elapsed: () => performance.now(),
    ended: ({code}) => metrics.streamsEnded.inc({reason: code}),
    onInternalError,
  });
  const sweeps = setInterval(() => void live.sweep(), sweepMilliseconds);
  const decision = {bundles, maximumBodyBytes: configuration.maximumBodyBytes, now: () => new Date(), maskText};
  const recorder = {encoder: new EventEncoder(textMasker()), log: auditLog, now: microsecondsSinceEpoch};
  const serve = requestPath({
    audit: {
      recorder,
      metrics,
      onInternalError,
      onUnexpectedPAN(auditID, found) {
        metrics.panUnexpected(found.resource, found.count);
        log.warn('pan.unexpected', {auditID, ...found});
      },
    },
    authenticator,
    capacity: {maximumRequestsInFlight: configuration.maximumRequestsInFlight, metrics},
    decision,
    approval: {...decision, control, proxy},
    recording: {
      directory: configuration.recordingDirectory,
      now: microsecondsSinceEpoch,
    },
    compressResponses: configuration.compressResponses,
    streams: {target, identity, credential, live, open: streams},
    forward: {
      pooled,
      multiplexed,
      identity,
      credential,
      live,
      longRunning,
    },
  });
  const listener = await listening('--listen-address', configuration.listenAddress, (address) =>
    listen({
      ...address,
      certificate,
      onRequest: serve,
      onUnreadable: recordUnreadable({recorder, metrics}),
    }),
  );
  const observation = await listening('--metrics-address', configuration.metricsAddress, (address) =>
    serveObservation({
      ...address,
      registry: metrics.registry,
      checks: {
        bundle: () => bundles.current !== undefined,
        audit: () => auditLog.available,
        serving: () => !signal.aborted,
      },
    }),
  );
  log.info('serving', {address: listener.address, mode: configuration.mode, upstream: target.origin});

  const checkpoints = startCheckpoints({
    head: () => auditLog.head(),
    send: (checkpoint) => control.checkpoint(checkpoint),
    intervalMilliseconds: checkpointMilliseconds,
    hooks: {
      sent: () => metrics.checkpoints.inc({result: 'Sent'}),
      failed: (error) => {
        metrics.checkpoints.inc({result: 'Failed'});
        log.warn('audit checkpoint not sent', {error: error instanceof Error ? error.message : String(error)});
      },
    },
  });
  const certificateTimer = setInterval(async () => {
    const changed = await changedCertificate(certificateFiles, certificate, log);
    if (changed === undefined) return;
    certificate = changed;
    listener.setCertificate(changed);
    log.info('certificate reloaded');
  }, fileCheckMilliseconds);

  const pause = (milliseconds: number) => sleep(milliseconds, undefined, {signal}).catch(() => {});
  await followBundles({control, bundles, proxy, log, metrics, random: Math.random, pause, signal});

  clearInterval(certificateTimer);
  await drain();
  clearInterval(sweeps);
  await auditLog.close();
  // The chain ends with its last line on record at the operator.
  await checkpoints.stop();
  await observation.close();
  authenticator.close();
  credential.close();
  await Promise.all([pooled.close(), multiplexed.close(), control.close()]);

  /** Lets calls under way end, watches by a clean end of their own; what is left after the time is cut. */
  async function drain(): Promise<void> {
    const drained = listener.drain();
    for (const relay of longRunning) relay.finish();
    await Promise.race([drained, sleep(configuration.drainSeconds * 1000, undefined, {ref: false})]);
    const goingDown = failure(503, 'the proxy is going down, and the time for streams to end is over');
    for (const stream of streams) stream.end(goingDown);
    await Promise.all([...streams].map(({done}) => done));
    listener.destroy();
  }
}

/** Wall-clock time with the resolution of the monotonic clock. */
function microsecondsSinceEpoch(): number {
  return (performance.timeOrigin + performance.now()) * 1000;
}

function auditHooks(metrics: Metrics, log: ProcessContext['log']): AuditLogHooks {
  return {
    written(lines) {
      metrics.auditLines.inc(lines);
      metrics.auditBatchLines.observe(lines);
    },
    failed(error) {
      metrics.auditErrors.inc();
      log.error('audit log cannot be written, calls are refused', {error: String(error.cause ?? error.message)});
    },
    recovered: () => log.info('audit log can be written again'),
    dropped: () => metrics.auditDroppedLines.inc(),
    torn: (bytes) => log.warn('unfinished line cut off the audit log', {bytes}),
  };
}
