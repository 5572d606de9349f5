import type { TickReport } from "../collections/tick-report.ts";
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from "prom-client";

/** The control plane's metrics. Names follow Prometheus' conventions: base units, `_total` for counters. */
export class Metrics {
  readonly registry = new Registry();
  readonly ticks = this.#histogram("seawall_tick_duration_seconds", "Time to recompute what one batch of events changed.");
  readonly recomputed = this.#counter("seawall_recomputed_entries_total", "Entries recomputed, by collection.", ["collection"]);
  readonly faults = this.#counter("seawall_faults_total", "Bugs that were contained, by kind.", ["kind"]);
  readonly streams = this.#gauge("seawall_xds_streams", "Sidecars connected now.");
  readonly pushes = this.#counter("seawall_xds_pushes_total", "Responses sent to sidecars, by resource type.", ["type"]);
  readonly pushedResources = this.#counter("seawall_xds_pushed_resources_total", "Resources sent to sidecars, by type.", ["type"]);
  readonly pushedBytes = this.#counter("seawall_xds_pushed_bytes_total", "Bytes of responses sent to sidecars.");
  readonly nacks = this.#counter("seawall_xds_nacks_total", "Configurations that a sidecar rejected.");
  readonly refused = this.#counter("seawall_xds_refused_total", "Connections and streams turned away, by reason.", ["reason"]);
  readonly kubernetesLists = this.#counter("seawall_kubernetes_lists_total", "Whole lists taken from the API server, by kind.", ["kind"]);
  readonly kubernetesEvents = this.#counter("seawall_kubernetes_watch_events_total", "Watch events received, by kind and type.", [
    "kind",
    "type",
  ]);
  readonly kubernetesInterruptions = this.#counter(
    "seawall_kubernetes_interruptions_total",
    "Ends of watches and failures to follow a kind, by kind and reason; TimedOut is routine.",
    ["kind", "reason"],
  );
  readonly authoritySecretLost = this.#gauge(
    "seawall_ca_secret_lost",
    "1 while the Secret of the certificate authority is missing or unusable, and the control plane goes on with what it has in memory.",
  );
  readonly statusWrites = this.#counter(
    "seawall_status_writes_total",
    "Statuses of policies and routes that this replica wrote as the leader, by outcome: written, failed (it is tried again), gone (the object is).",
    ["outcome"],
  );
  readonly foreignTrust = this.#gauge(
    "seawall_trust_foreign_config_maps",
    "Namespaces of the mesh whose ConfigMap seawall-trust somebody else made: sidecars cannot start there.",
  );

  constructor() {
    collectDefaultMetrics({ register: this.registry });
  }

  /** Counts what one tick did. */
  tick(report: TickReport): void {
    this.ticks.observe(report.durationMs / 1000);
    for (const [collection, { recomputed }] of report.collections) this.recomputed.inc({ collection }, recomputed);
  }

  /** A gauge whose values are read when it is scraped. */
  sampled(
    name: string,
    help: string,
    labelNames: string[],
    read: () => Iterable<{ readonly labels: Record<string, string>; readonly value: number }>,
  ): void {
    new Gauge({
      name,
      help,
      labelNames,
      registers: [this.registry],
      collect() {
        this.reset();
        for (const { labels, value } of read()) this.set(labels, value);
      },
    });
  }

  #counter(name: string, help: string, labelNames: string[] = []): Counter {
    return new Counter({ name, help, labelNames, registers: [this.registry] });
  }

  #gauge(name: string, help: string, labelNames: string[] = []): Gauge {
    return new Gauge({ name, help, labelNames, registers: [this.registry] });
  }

  #histogram(name: string, help: string): Histogram {
    return new Histogram({
      name,
      help,
      buckets: [0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.05, 0.25, 1, 5],
      registers: [this.registry],
    });
  }
}
