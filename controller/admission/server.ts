/**
 * The webhooks' HTTPS server. It decides by what it is told and what it knows, and does nothing else, so a dry run is like
 * any other. Whatever goes wrong inside is a refusal: a webhook that fails open is none.
 */
import { createServer } from "node:https";
import type { IncomingMessage, ServerResponse } from "node:http";
import { AdmissionServerError } from "./admission-server-error.ts";
import { type AdmissionRequest, readReview, reviewOf, type Verdict } from "./admission-review.ts";

export interface WebhookCertificate {
  /** PEM: the certificate, then its issuers. */
  readonly chain: string;
  readonly privateKey: string;
}

export interface AdmissionServerOptions {
  readonly host: string;
  /** 0 for any that is free. */
  readonly port: number;
  readonly certificate: WebhookCertificate;
  /** By path, such as `/validate`. */
  readonly webhooks: Readonly<Record<string, (request: AdmissionRequest) => Verdict>>;
  /** Told what nobody else is told: why a request could not be judged. */
  readonly log: (line: string) => void;
}

export interface AdmissionServer {
  readonly port: number;
  /** New connections get it; those that are open go on. */
  replaceCertificate(certificate: WebhookCertificate): void;
  /**
   * Takes requests until `farewell` settles, and asks every caller to come back on another connection: the API server goes on
   * with the connections that it has, and with this address for as long as the nodes have not learnt that it is gone. Then
   * finishes what it is on.
   */
  close(farewell?: Promise<unknown>): Promise<void>;
}

/** An update holds an object twice, and the API server takes objects of up to 3 MiB. */
const LARGEST_BODY = 8 << 20;
/** The API server waits no longer than this for any webhook. */
const LONGEST_REQUEST_MS = 30_000;

/** How long a request that has begun may take when the server ends. */
const LONGEST_END_MS = 5_000;

/** Starts to listen. Rejects with an {@link AdmissionServerError} when the address cannot be had. */
export async function startAdmissionServer(options: AdmissionServerOptions): Promise<AdmissionServer> {
  let ending = false;
  const server = createServer({ ...tls(options.certificate), minVersion: "TLSv1.2" }, (request, response) => {
    if (ending) response.shouldKeepAlive = false;
    answer(request, options)
      .catch((error: unknown): Answer => {
        options.log(`a webhook request failed: ${String(error)}`);
        return problem(500, "the request could not be answered; the control plane's log says why");
      })
      .then((reply) => send(request, response, reply))
      .catch(() => response.destroy());
  });
  server.requestTimeout = LONGEST_REQUEST_MS;
  server.headersTimeout = LONGEST_REQUEST_MS;
  // Whoever does not speak TLS, or trusts another root, is not worth a word each.
  server.on("tlsClientError", (_error, socket) => socket.destroy());
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => reject(new AdmissionServerError(options, error)));
    server.listen(options.port, options.host, resolve);
  });
  const address = server.address();
  return {
    port: typeof address === "object" && address !== null ? address.port : options.port,
    replaceCertificate: (certificate) => server.setSecureContext(tls(certificate)),
    close: async (farewell = Promise.resolve()) => {
      ending = true;
      await farewell.catch(() => undefined);
      await new Promise<void>((resolve) => {
        const patience = setTimeout(() => server.closeAllConnections(), LONGEST_END_MS);
        server.close(() => {
          clearTimeout(patience);
          resolve();
        });
      });
    },
  };
}

function tls({ chain, privateKey }: WebhookCertificate): { readonly cert: string; readonly key: string } {
  return { cert: chain, key: privateKey };
}

interface Answer {
  readonly status: number;
  readonly body: unknown;
}

function problem(status: number, error: string): Answer {
  return { status, body: { error } };
}

async function answer(request: IncomingMessage, { webhooks, log }: AdmissionServerOptions): Promise<Answer> {
  const { pathname } = new URL(request.url ?? "/", "https://webhook");
  const webhook = Object.hasOwn(webhooks, pathname) ? webhooks[pathname] : undefined;
  if (webhook === undefined) return problem(404, `there is no webhook at ${pathname}`);
  if (request.method !== "POST") return problem(405, "a webhook takes POST requests");
  const type = request.headers["content-type"]?.split(";")[0]?.trim().toLowerCase();
  if (type !== "application/json") return problem(415, "a webhook takes application/json");
  const text = await readBody(request);
  if (text === undefined) return problem(413, `the body is larger than ${LARGEST_BODY} bytes`);
  const review = readReview(text);
  if (review === undefined) return problem(400, "the body is not an AdmissionReview of admission.k8s.io/v1 with a request");
  return { status: 200, body: reviewOf(review.uid, judged(review, webhook, log)) };
}

/** A fault of ours is a refusal: an object that nobody judged must not be stored. */
function judged(request: AdmissionRequest, webhook: (request: AdmissionRequest) => Verdict, log: (line: string) => void): Verdict {
  try {
    return webhook(request);
  } catch (error) {
    log(
      `${request.operation} of ${request.kind.kind} could not be judged: ${error instanceof Error ? (error.stack ?? "") : String(error)}`,
    );
    const message = "could not be checked, which is a bug in Seawall: the control plane's log says more";
    return { kind: "refused", reason: "Forbidden", message, warnings: [] };
  }
}

async function readBody(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > LARGEST_BODY) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function send(request: IncomingMessage, response: ServerResponse, { status, body }: Answer): void {
  // What is left of a request that was not read to its end would be taken for the next one.
  if (!request.complete) response.shouldKeepAlive = false;
  const text = JSON.stringify(body);
  response.writeHead(status, { "content-type": "application/json", "content-length": Buffer.byteLength(text) });
  response.end(text);
}
