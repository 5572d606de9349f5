/** The gRPC service with which the leader hears what the sidecars of the other replicas have acknowledged. */
import { type sendUnaryData, type ServerReadableStream, type ServiceDefinition, status } from "@grpc/grpc-js";
import type { GrpcService } from "../../xds-server/delta/delta-server.ts";
import { type AcknowledgementMessage, parseAcknowledgements } from "./acknowledgement-messages.ts";
import { type ReportClock, systemReportClock } from "./report-clock.ts";

export const REPORT_PATH = "/seawall.v1.Acknowledgements/Report";

/** Tells whether a bearer token is a replica's own. */
export interface ReplicaAuthenticator {
  /** `replica` for people, `expiresAt` in Unix milliseconds. Rejects with an Error whose message may be shown to the caller. */
  authenticateReplica(bearerToken: string | undefined): Promise<AuthenticatedReplica>;
}

export interface AuthenticatedReplica {
  readonly replica: string;
  readonly expiresAt: number;
}

/** One replica's report, while it lasts. */
export interface Report {
  take(message: AcknowledgementMessage): void;
  ended(): void;
}

/** Called when a report begins; undefined while this replica does not lead. */
export type ReportTaker = ((replica: string) => Report) | undefined;

/** Milliseconds; Node's timers fire at once when asked for more. */
const LONGEST_TIMER = 2 ** 31 - 1;

const MALFORMED = "malformed";

type ReportCall = ServerReadableStream<AcknowledgementMessage | typeof MALFORMED, undefined>;

const definition: ServiceDefinition = {
  report: {
    path: REPORT_PATH,
    requestStream: true,
    responseStream: false,
    requestSerialize: (message: AcknowledgementMessage) => Buffer.from(JSON.stringify(message)),
    requestDeserialize: (bytes: Buffer) => parseAcknowledgements(bytes.toString("utf8")) ?? MALFORMED,
    responseSerialize: () => Buffer.alloc(0),
    responseDeserialize: () => undefined,
  },
};

/** Serves replicas while there is somebody to take their reports. */
export class AcknowledgementService {
  readonly service: GrpcService;
  readonly #authenticator: ReplicaAuthenticator;
  readonly #clock: ReportClock;
  readonly #calls = new Map<ReportCall, sendUnaryData<undefined>>();
  #taker: ReportTaker;

  constructor(authenticator: ReplicaAuthenticator, clock: ReportClock = systemReportClock) {
    this.#authenticator = authenticator;
    this.#clock = clock;
    this.service = {
      definition,
      implementation: {
        report: (call: ReportCall, respond: sendUnaryData<undefined>): void => {
          this.#accept(call).then(
            (authenticated) => this.#serve(call, respond, authenticated),
            (error: unknown) =>
              respond({ code: status.UNAUTHENTICATED, details: error instanceof Error ? error.message : "the token was not accepted" }),
          );
        },
      },
    };
  }

  /** With undefined every report ends: its replica looks for the leader elsewhere. */
  takeReports(taker: ReportTaker): void {
    this.#taker = taker;
    if (taker === undefined) for (const respond of [...this.#calls.values()]) respond(NOT_LEADING);
  }

  async #accept(call: ReportCall): Promise<AuthenticatedReplica> {
    const header = call.metadata.get("authorization")[0];
    const bearer = typeof header === "string" && /^bearer /i.test(header) ? header.slice("bearer ".length) : undefined;
    return this.#authenticator.authenticateReplica(bearer);
  }

  #serve(call: ReportCall, respond: sendUnaryData<undefined>, { replica, expiresAt }: AuthenticatedReplica): void {
    if (call.cancelled) return;
    if (this.#taker === undefined) {
      respond(NOT_LEADING);
      return;
    }
    const report = this.#taker(replica);
    // The replica comes again, with a fresh token.
    const validFor = Math.min(Math.max(expiresAt - this.#clock.now(), 0), LONGEST_TIMER);
    const cancelExpiry = this.#clock.after(validFor, () => answer(null));
    const answer: sendUnaryData<undefined> = (...result) => {
      if (!this.#calls.delete(call)) return;
      cancelExpiry();
      report.ended();
      respond(...result);
    };
    this.#calls.set(call, answer);
    call.on("data", (message: AcknowledgementMessage | typeof MALFORMED) => {
      if (!this.#calls.has(call)) return;
      if (message === MALFORMED) answer({ code: status.INVALID_ARGUMENT, details: "not a report of acknowledgements" });
      else report.take(message);
    });
    call.on("end", () => answer(null));
    call.on("cancelled", () => answer(null));
    call.on("error", () => answer(null));
  }
}

const NOT_LEADING = { code: status.FAILED_PRECONDITION, details: "this replica does not lead" } as const;
