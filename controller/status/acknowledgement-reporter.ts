/** Streams what this replica's sidecars acknowledge to the leader: first all that there is, then what changes. */
import { type ClientWritableStream, Client, credentials, Metadata, type ServiceError } from "@grpc/grpc-js";
import type { AcknowledgementLedger } from "./acknowledgement-ledger.ts";
import { type AcknowledgementMessage, acknowledgementMessage, type Acknowledged } from "./acknowledgement-messages.ts";
import { REPORT_PATH } from "./acknowledgement-service.ts";
import { type ReportClock, systemReportClock } from "./report-clock.ts";
import type { SettledPolicies } from "./settled-policies.ts";

export interface LeaderAddress {
  readonly host: string;
  readonly port: number;
}

export interface AcknowledgementReporterOptions {
  readonly ledger: AcknowledgementLedger;
  readonly settled: SettledPolicies;
  /** The roots, PEM, by which the leader's certificate is checked; undefined is plaintext, for tests. */
  readonly trust: () => string | undefined;
  /** A name that the leader's certificate carries. */
  readonly serverName: string;
  /** This replica's own token, asked for at every connection. */
  readonly token: () => Promise<string>;
  readonly log?: (message: string) => void;
  readonly clock?: ReportClock;
  /** In [0, 1), for jitter. */
  readonly random?: () => number;
}

/** Milliseconds for which acknowledgements are gathered before they are sent. */
const GATHERING = 20;
/** Enough for one message, which stays well below what the server takes. */
const MOST_AT_ONCE = 10_000;
const RETRY = { first: 250, longest: 5_000 } as const;

export class AcknowledgementReporter {
  readonly #options: AcknowledgementReporterOptions;
  readonly #clock: ReportClock;
  #leader: LeaderAddress | undefined;
  #connection: Connection | undefined;
  #cancelRetry: (() => void) | undefined;
  #failures = 0;

  constructor(options: AcknowledgementReporterOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemReportClock;
  }

  /** Reports to this replica from now on; to nobody when undefined. */
  reportTo(leader: LeaderAddress | undefined): void {
    if (leader?.host === this.#leader?.host && leader?.port === this.#leader?.port) return;
    this.close();
    this.#leader = leader;
    if (leader !== undefined) void this.#connect(leader);
  }

  close(): void {
    this.#leader = undefined;
    this.#failures = 0;
    this.#cancelRetry?.();
    this.#connection?.close();
    this.#connection = undefined;
  }

  async #connect(leader: LeaderAddress): Promise<void> {
    let token: string;
    try {
      token = await this.#options.token();
    } catch (error) {
      this.#ended(leader, `the own token could not be read: ${String(error)}`);
      return;
    }
    if (this.#leader !== leader) return;
    const connection = new Connection(leader, token, this.#options, this.#clock, (error) => {
      if (this.#connection !== connection) return;
      this.#connection = undefined;
      this.#ended(leader, error?.details);
    });
    this.#connection = connection;
  }

  #ended(leader: LeaderAddress, complaint: string | undefined): void {
    if (this.#leader !== leader) return;
    if (complaint === undefined) this.#failures = 0;
    // A replica that has just begun to lead, or just ceased to, is found out by the next try.
    else if (this.#failures++ === 3) this.#options.log?.(`acknowledgements cannot be reported to the leader ${leader.host}: ${complaint}`);
    const delay = Math.min(RETRY.first * 2 ** this.#failures, RETRY.longest) * (0.5 + 0.5 * (this.#options.random ?? Math.random)());
    this.#cancelRetry = this.#clock.after(delay, () => void this.#connect(leader));
  }
}

/** One stream to one leader. Knows what it has yet to say; says it in its newest state, when there is room. */
class Connection {
  readonly #options: AcknowledgementReporterOptions;
  readonly #clock: ReportClock;
  readonly #client: Client;
  readonly #call: ClientWritableStream<AcknowledgementMessage>;
  readonly #stop: () => void;
  /** Policies by pod. */
  readonly #news = new Map<string, Set<string>>();
  readonly #rejectionNews = new Set<string>();
  readonly #settledNews = new Set<string>();
  #gathering = false;
  #writing = false;
  #ended = false;

  constructor(
    { host, port }: LeaderAddress,
    token: string,
    options: AcknowledgementReporterOptions,
    clock: ReportClock,
    ended: (error: ServiceError | null) => void,
  ) {
    this.#options = options;
    this.#clock = clock;
    const trust = options.trust();
    this.#client = new Client(
      `${host.includes(":") ? `[${host}]` : host}:${port}`,
      trust === undefined ? credentials.createInsecure() : credentials.createSsl(Buffer.from(trust)),
      {
        "grpc.ssl_target_name_override": options.serverName,
        "grpc.default_authority": options.serverName,
        "grpc.enable_channelz": 0,
        "grpc.keepalive_time_ms": 30_000,
        "grpc.keepalive_timeout_ms": 10_000,
        "grpc.keepalive_permit_without_calls": 1,
        // Neither a proxy nor a second try within: whoever asks for this connection tries again.
        "grpc.enable_http_proxy": 0,
        "grpc.enable_retries": 0,
      },
    );
    const metadata = new Metadata();
    metadata.set("authorization", `Bearer ${token.trim()}`);
    this.#call = this.#client.makeClientStreamRequest<AcknowledgementMessage, undefined>(
      REPORT_PATH,
      (message) => Buffer.from(JSON.stringify(message)),
      () => undefined,
      metadata,
      (error) => {
        this.close();
        ended(error);
      },
    );
    // The callback above tells of every end.
    this.#call.on("error", () => undefined);
    const { ledger, settled } = options;
    for (const [policy, pod] of ledger.acknowledgements()) this.#note(policy, pod);
    for (const [pod] of ledger.rejections()) this.#rejectionNews.add(pod);
    for (const policy of settled.policies()) this.#settledNews.add(policy);
    const stopSettled = settled.listen((policy) => {
      this.#settledNews.add(policy);
      this.#gather();
    });
    const stopLedger = ledger.listen({
      onAcknowledgement: (policy, pod) => {
        this.#note(policy, pod);
        this.#gather();
      },
      onRejection: (pod) => {
        this.#rejectionNews.add(pod);
        this.#gather();
      },
    });
    this.#stop = () => {
      stopSettled();
      stopLedger();
    };
    this.#gather();
  }

  close(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#stop();
    this.#call.cancel();
    this.#client.close();
  }

  #note(policy: string, pod: string): void {
    const policies = this.#news.get(pod);
    if (policies === undefined) this.#news.set(pod, new Set([policy]));
    else policies.add(policy);
  }

  #gather(): void {
    if (this.#gathering || this.#writing || this.#ended) return;
    this.#gathering = true;
    this.#clock.after(GATHERING, () => {
      this.#gathering = false;
      this.#send();
    });
  }

  #send(): void {
    if (this.#ended || !this.#hasNews()) return;
    const message = acknowledgementMessage(this.#takeNews(), this.#takeRejections(), this.#takeSettled());
    this.#writing = true;
    this.#call.write(message, () => {
      this.#writing = false;
      if (this.#hasNews()) this.#send();
    });
  }

  #hasNews(): boolean {
    return this.#news.size > 0 || this.#rejectionNews.size > 0 || this.#settledNews.size > 0;
  }

  *#takeNews(): Iterable<Acknowledged> {
    const { ledger } = this.#options;
    let taken = 0;
    for (const [pod, policies] of this.#news) {
      if (taken >= MOST_AT_ONCE) return;
      this.#news.delete(pod);
      // Of a sidecar that has gone elsewhere another replica speaks.
      if (!ledger.speaksOf(pod)) continue;
      taken += policies.size;
      for (const policy of policies) yield { policy, pod, state: ledger.stateOf(policy, pod) };
    }
  }

  *#takeRejections(): Iterable<readonly [string, string | undefined]> {
    const { ledger } = this.#options;
    for (const pod of this.#rejectionNews) if (ledger.speaksOf(pod)) yield [pod, ledger.rejectionOf(pod)];
    this.#rejectionNews.clear();
  }

  /** What was settled is said when nothing is left to say of sidecars: it must not come before what they run. */
  *#takeSettled(): Iterable<readonly [string, string]> {
    if (this.#news.size > 0) return;
    let taken = 0;
    for (const policy of this.#settledNews) {
      if (taken++ >= MOST_AT_ONCE) return;
      this.#settledNews.delete(policy);
      const revision = this.#options.settled.revisionOf(policy);
      if (revision !== undefined) yield [policy, revision];
    }
  }
}
