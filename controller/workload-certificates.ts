/** Ties the authority to the mesh: who every sidecar is, and what all of them trust. */
import type { CertificateAuthority } from "../ca/authority.ts";
import { LeafSecrets } from "../ca/leaf-secrets.ts";
import type { LeafVersions } from "../ca/leaf-version.ts";
import type { EncodedResource } from "../xds-server/delta/feed.ts";
import { SINGLETON } from "./collections/collection.ts";
import type { Log } from "./control-plane-options.ts";
import type { Foundation } from "./foundation.ts";
import { identitySecret, trustSecret } from "./secrets.ts";

export interface WorkloadCertificates {
  readonly leaves: LeafSecrets<EncodedResource>;
  close(): void;
}

/** Publishes the trust bundle into the mesh, now and when it changes, and issues every connected pod's certificate. */
export function workloadCertificates(
  { mesh, trust }: Foundation,
  authority: CertificateAuthority,
  versions: LeafVersions,
  log: Log,
): WorkloadCertificates {
  const publish = (): void => trust.set(SINGLETON, trustSecret(authority.trust.pem));
  publish();
  const stopPublishing = authority.onChange(publish);
  const { trustDomain } = authority;
  const leaves = new LeafSecrets({
    authority,
    versions,
    identityOf: (subscriber) => {
      const workload = mesh.inventory.workloadOfPod.get(subscriber);
      return workload === undefined ? undefined : { trustDomain, namespace: workload.namespace, serviceAccount: workload.serviceAccount };
    },
    encodeSecret: identitySecret,
    onFailure: (subscriber, failure) => log("error", `no certificate could be issued for ${subscriber}: ${String(failure)}`),
  });
  mesh.inventory.workloadOfPod.onChange((changes) => {
    for (const pod of changes.keys()) leaves.identityChanged(pod);
  });
  return {
    leaves,
    close: () => {
      stopPublishing();
      leaves.close();
    },
  };
}
