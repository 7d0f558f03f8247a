import {Counter, Gauge, Histogram, type Registry} from 'prom-client';

export type ReconcileResult = 'success' | 'requeue_after' | 'error';

/** What queues and their workers count, under the names that controller-runtime gave them. */
export interface ControllerMetrics {
  added(controller: string): void;
  depth(controller: string, keys: number): void;
  started(controller: string, queuedSeconds: number): void;
  finished(controller: string, result: ReconcileResult, workedSeconds: number): void;
  retried(controller: string): void;
}

/** Registers the metrics; once for each registry. */
export function createControllerMetrics(registry: Registry): ControllerMetrics {
  const registers = [registry];
  const queue = ['name', 'controller'] as const;
  const buckets = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 60];
  const adds = new Counter({
    name: 'workqueue_adds_total',
    help: 'Total number of adds handled by workqueue',
    labelNames: queue,
    registers,
  });
  const depths = new Gauge({
    name: 'workqueue_depth',
    help: 'Current depth of workqueue',
    labelNames: queue,
    registers,
  });
  const queued = new Histogram({
    name: 'workqueue_queue_duration_seconds',
    help: 'How long in seconds an item stays in workqueue before being requested',
    labelNames: queue,
    buckets,
    registers,
  });
  const worked = new Histogram({
    name: 'workqueue_work_duration_seconds',
    help: 'How long in seconds processing an item from workqueue takes',
    labelNames: queue,
    buckets,
    registers,
  });
  const retries = new Counter({
    name: 'workqueue_retries_total',
    help: 'Total number of retries handled by workqueue',
    labelNames: queue,
    registers,
  });
  const active = new Gauge({
    name: 'controller_runtime_active_workers',
    help: 'Number of currently used workers per controller',
    labelNames: ['controller'],
    registers,
  });
  const reconciles = new Counter({
    name: 'controller_runtime_reconcile_total',
    help: 'Total number of reconciliations per controller',
    labelNames: ['controller', 'result'],
    registers,
  });
  const errors = new Counter({
    name: 'controller_runtime_reconcile_errors_total',
    help: 'Total number of reconciliation errors per controller',
    labelNames: ['controller'],
    registers,
  });
  const times = new Histogram({
    name: 'controller_runtime_reconcile_time_seconds',
    help: 'Length of time per reconciliation per controller',
    labelNames: ['controller'],
    buckets,
    registers,
  });
  return {
    added: (controller) => adds.inc({name: controller, controller}),
    depth: (controller, keys) => depths.set({name: controller, controller}, keys),
    started(controller, queuedSeconds) {
      queued.observe({name: controller, controller}, queuedSeconds);
      active.inc({controller});
    },
    finished(controller, result, workedSeconds) {
      active.dec({controller});
      worked.observe({name: controller, controller}, workedSeconds);
      times.observe({controller}, workedSeconds);
      reconciles.inc({controller, result});
      if (result === 'error') errors.inc({controller});
    },
    retried: (controller) => retries.inc({name: controller, controller}),
  };
}
