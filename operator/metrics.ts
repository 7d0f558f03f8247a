import {Counter, Gauge, Histogram, type Registry} from 'prom-client';
import type {CompiledPolicies} from './policy/controller.ts';

/** What the operator counts beside its queues, under client-go's and controller-runtime's names where they mean the same. */
export interface OperatorMetrics {
  /** A call to the API server was answered; code is `<error>` where it was not. */
  called(method: string, code: string): void;
  leading(lease: string, leading: boolean): void;
  compiled(compiled: CompiledPolicies, seconds: number): void;
}

/**
 * Registers the metrics; once for each registry.
 * @param host the API server's, as label of `rest_client_requests_total`
 */
export function createOperatorMetrics(registry: Registry, host: string): OperatorMetrics {
  const registers = [registry];
  const calls = new Counter({
    name: 'rest_client_requests_total',
    help: 'Number of HTTP requests, partitioned by status code, method, and host',
    labelNames: ['code', 'method', 'host'],
    registers,
  });
  const leader = new Gauge({
    name: 'leader_election_master_status',
    help: 'Whether this process leads (1) or not (0), by name of the lease',
    labelNames: ['name'],
    registers,
  });
  const policies = new Gauge({
    name: 'lockkeeper_policies',
    help: 'AgentAccessPolicies in the newest bundle, by whether they compiled without a problem',
    labelNames: ['accepted'],
    registers,
  });
  const compilations = new Histogram({
    name: 'lockkeeper_policy_compile_duration_seconds',
    help: 'How long compiling every policy to a bundle took',
    buckets: [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5],
    registers,
  });
  return {
    called: (method, code) => calls.inc({code, method, host}),
    leading: (name, leading) => leader.set({name}, leading ? 1 : 0),
    compiled({policies: all, problems}, seconds) {
      policies.set({accepted: 'true'}, all.size - problems.size);
      policies.set({accepted: 'false'}, problems.size);
      compilations.observe(seconds);
    },
  };
}
