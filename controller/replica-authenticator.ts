import type { StreamAuthenticator } from "../xds-server/delta/feed.ts";
import type { Collection } from "./collections/collection.ts";
import type { ReplicaAuthenticator } from "./status/acknowledgement-service.ts";

/** Takes the tokens of the control plane's own pods: those of one service account in one namespace. */
export function replicaAuthenticator(
  authenticator: StreamAuthenticator,
  pods: Collection<string, { readonly namespace: string; readonly serviceAccount: string }>,
  own: { readonly namespace: string; readonly serviceAccount: string },
): ReplicaAuthenticator {
  return {
    authenticateReplica: async (bearerToken) => {
      const { subscriber, expiresAt } = await authenticator.authenticate(bearerToken);
      const pod = pods.get(subscriber);
      if (pod?.namespace !== own.namespace || pod.serviceAccount !== own.serviceAccount) {
        throw new Error(`${subscriber} is no replica of the control plane`);
      }
      return { expiresAt };
    },
  };
}
