/** The gRPC service with which a sidecar renews its join token: JSON in, JSON out, the old token as the credential. */
import { type sendUnaryData, type ServerUnaryCall, type ServiceDefinition, status } from "@grpc/grpc-js";
import { JoinTokenError } from "../ca/join-token-error.ts";
import type { TokenAuthenticator } from "../ca/token-authenticator.ts";
import type { GrpcService } from "../xds-server/delta/delta-server.ts";

interface RenewedToken {
  readonly token: string;
  /** Unix milliseconds. */
  readonly expiresAt: number;
}

const definition: ServiceDefinition = {
  renew: {
    path: "/seawall.v1.Tokens/Renew",
    requestStream: false,
    responseStream: false,
    requestSerialize: (request: unknown) => Buffer.from(JSON.stringify(request)),
    requestDeserialize: () => ({}),
    responseSerialize: (response: RenewedToken) => Buffer.from(JSON.stringify(response)),
    responseDeserialize: (bytes: Buffer) => JSON.parse(bytes.toString("utf8")) as RenewedToken,
  },
};

/** Renews tokens that `authenticator` accepts; every other call is answered UNAUTHENTICATED with the reason. */
export function tokenService(authenticator: TokenAuthenticator): GrpcService {
  return {
    definition,
    implementation: {
      renew: (call: ServerUnaryCall<unknown, RenewedToken>, respond: sendUnaryData<RenewedToken>): void => {
        const header = call.metadata.get("authorization")[0];
        const bearer = typeof header === "string" && /^bearer /i.test(header) ? header.slice("bearer ".length) : undefined;
        authenticator.renew(bearer).then(
          (renewed) => respond(null, { token: renewed.token, expiresAt: renewed.expiresAt }),
          (error: unknown) => {
            const known = error instanceof JoinTokenError;
            respond({
              code: known ? status.UNAUTHENTICATED : status.INTERNAL,
              details: known ? error.message : "the token could not be renewed",
            });
          },
        );
      },
    },
  };
}
