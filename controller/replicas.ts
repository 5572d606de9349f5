/** The replicas of the control plane: the pods of one service account in one namespace. */
import type { StreamAuthenticator } from "../xds-server/delta/feed.ts";
import type { Collection } from "./collections/collection.ts";
import type { Graph } from "./collections/graph.ts";
import type { ReplicaAuthenticator } from "./status/acknowledgement-service.ts";

interface Account {
  readonly namespace: string;
  readonly serviceAccount: string;
}

/** The names of the control plane's pods that are ready: sidecars may be connected to them. */
export function readyReplicas(
  graph: Graph,
  pods: Collection<string, Account & { readonly name: string; readonly ready: boolean }>,
  own: Account,
): Collection<string, string> {
  return graph.derive("ready-replicas", pods, (pod) => (isOf(pod, own) && pod.ready ? pod.name : undefined));
}

/** Takes the tokens of the control plane's own pods. */
export function replicaAuthenticator(
  authenticator: StreamAuthenticator,
  pods: Collection<string, Account>,
  own: Account,
): ReplicaAuthenticator {
  return {
    authenticateReplica: async (bearerToken) => {
      const { subscriber, expiresAt } = await authenticator.authenticate(bearerToken);
      const pod = pods.get(subscriber);
      if (pod === undefined || !isOf(pod, own)) throw new Error(`${subscriber} is no replica of the control plane`);
      return { replica: subscriber.slice(subscriber.indexOf("/") + 1), expiresAt };
    },
  };
}

function isOf({ namespace, serviceAccount }: Account, own: Account): boolean {
  return namespace === own.namespace && serviceAccount === own.serviceAccount;
}
