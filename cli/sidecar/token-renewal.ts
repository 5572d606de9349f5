import { Client, credentials, Metadata, type ServiceError } from "@grpc/grpc-js";
import { readFile } from "node:fs/promises";
import { CommandFailure } from "../command-failure.ts";
import { type HostPort, showHostPort } from "../host-port.ts";
import { type HeldToken, readJoinToken } from "./join-token-file.ts";

/** The unary method, on the xDS port, that answers a good token with a fresh one. Bodies are JSON. */
export const RENEW_METHOD = "/seawall.v1.Tokens/Renew";

const DEADLINE_MS = 10_000;

export interface ControlPlaneAccess {
  readonly address: HostPort;
  /** Absent: plaintext. */
  readonly tls?: { readonly caFile: string; readonly serverName: string };
}

/** Asks the control plane for a token that replaces `token`. Rejects with the control plane's words. */
export async function renewToken(controlPlane: ControlPlaneAccess, token: string): Promise<HeldToken> {
  const { address, tls } = controlPlane;
  const client =
    tls === undefined
      ? new Client(showHostPort(address), credentials.createInsecure())
      : new Client(showHostPort(address), credentials.createSsl(await readFile(tls.caFile)), {
          "grpc.ssl_target_name_override": tls.serverName,
          "grpc.default_authority": tls.serverName,
        });
  try {
    const metadata = new Metadata();
    metadata.set("authorization", `Bearer ${token}`);
    const answer = await unary(client, metadata);
    const renewed = readJoinToken((JSON.parse(answer.toString("utf8")) as { token?: string }).token ?? "");
    if (renewed === undefined) throw CommandFailure.failed("the control plane answered with something that is not a token");
    return renewed;
  } finally {
    client.close();
  }
}

function unary(client: Client, metadata: Metadata): Promise<Buffer> {
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  client.makeUnaryRequest<Buffer, Buffer>(
    RENEW_METHOD,
    (body) => body,
    (body) => body,
    Buffer.from("{}"),
    metadata,
    { deadline: Date.now() + DEADLINE_MS },
    (error: ServiceError | null, answer) => {
      if (error === null && answer !== undefined) resolve(answer);
      else reject(CommandFailure.failed(error?.details ?? "no answer", error));
    },
  );
  return promise;
}
