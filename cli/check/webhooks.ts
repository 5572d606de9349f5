/** Does the API server ask the control plane, does it trust who answers, and is the answer right? */
import { X509Certificate } from "node:crypto";
import { KubernetesApiError } from "../../controller/kubernetes/api.ts";
import type { Cluster } from "../cluster/cluster.ts";
import {
  type KubeConfigMap,
  type KubeObject,
  type KubePod,
  type KubeWebhookConfiguration,
  hasSidecar,
  SEAWALL,
} from "../cluster/objects.ts";
import { type Check, type Finding, findingsAbout, isForbidden } from "./finding.ts";

const CONFIGURATIONS = ["mutatingwebhookconfigurations", "validatingwebhookconfigurations"];

export const webhooksCheck: Check = {
  area: "webhooks",
  async look({ cluster }) {
    const { problem } = findingsAbout(this.area);
    const roots = await trustedRoots(cluster);
    const found: Finding[] = [];
    for (const plural of CONFIGURATIONS) {
      const path = `/apis/admissionregistration.k8s.io/v1/${plural}/${SEAWALL.name}`;
      const configuration = (await cluster.find(path)) as KubeWebhookConfiguration | undefined;
      if (configuration === undefined) found.push(problem(`there is no ${plural} ${SEAWALL.name}`, "helm upgrade seawall ./helm"));
      for (const { name, clientConfig } of configuration?.webhooks ?? []) {
        const trouble = troubleWith(clientConfig.caBundle, roots);
        if (trouble !== undefined) found.push(problem(`${name} ${trouble}`, "the leader mends it: see its log"));
      }
    }
    return [...found, await dryRunOfWrongPolicy(cluster), ...(await dryRunsOfPods(cluster))];
  },
};

async function trustedRoots(cluster: Cluster): Promise<ReadonlySet<string>> {
  const path = `/api/v1/namespaces/${SEAWALL.namespace}/configmaps/${SEAWALL.trustConfigMap}`;
  const map = (await cluster.find(path)) as KubeConfigMap | undefined;
  return fingerprints(map?.data?.[SEAWALL.trustKey] ?? "");
}

function troubleWith(caBundle: string | undefined, roots: ReadonlySet<string>): string | undefined {
  if (caBundle === undefined || caBundle === "") return "has no caBundle, so that every call of it fails";
  const bundle = fingerprints(Buffer.from(caBundle, "base64").toString("utf8"));
  if (roots.size > 0 && ![...bundle].some((one) => roots.has(one)))
    return "trusts another authority than Seawall's, so that every call of it fails";
  return undefined;
}

function fingerprints(pem: string): Set<string> {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  return new Set(blocks.map((block) => new X509Certificate(block).fingerprint256));
}

/** A policy that the schema lets pass, and that the control plane must refuse. Nothing is stored. */
const WRONG_POLICY = {
  apiVersion: "seawall.dev/v1alpha1",
  kind: "AccessPolicy",
  metadata: { name: "seawall-check", namespace: SEAWALL.namespace },
  spec: {
    targetRefs: [{ kind: "Namespace", name: SEAWALL.namespace }],
    action: "Allow",
    rules: [{ name: "wrong", to: [{ paths: ["/{never-closed"] }] }],
  },
};

async function dryRunOfWrongPolicy(cluster: Cluster): Promise<Finding> {
  const { ok, problem, unknown } = findingsAbout("webhooks");
  const path = `/apis/seawall.dev/v1alpha1/namespaces/${SEAWALL.namespace}/accesspolicies`;
  try {
    await cluster.api.create({ path, query: { dryRun: "All" } }, WRONG_POLICY);
    return problem("a policy with a mistake is taken: nobody checks policies when they are applied", "helm upgrade seawall ./helm");
  } catch (error) {
    if (!(error instanceof KubernetesApiError)) throw error;
    if (/admission webhook "[^"]+" denied the request/.test(error.message))
      return ok("a policy with a mistake is refused when it is applied");
    if (error.message.includes("failed calling webhook")) {
      return problem(`policies cannot be applied: ${error.message}`, "see the control plane's pods and their log");
    }
    if (isForbidden(error)) return unknown(`not tried whether a policy with a mistake is refused: ${error.message}`);
    return problem(`a policy could not be tried: ${error.message}`);
  }
}

/** At most so many namespaces are tried. */
const LARGEST_TRIAL = 20;

async function dryRunsOfPods(cluster: Cluster): Promise<readonly Finding[]> {
  const { ok, warning } = findingsAbout("webhooks");
  const labelled = await cluster.list<KubeObject>("/api/v1/namespaces", { labelSelector: `${SEAWALL.injectionLabel}=enabled` });
  const namespaces = labelled.filter(({ metadata }) => metadata.deletionTimestamp === undefined).map(({ metadata }) => metadata.name);
  if (namespaces.length === 0)
    return [
      warning("injection is not tried: no namespace is labelled", `kubectl label namespace <namespace> ${SEAWALL.injectionLabel}=enabled`),
    ];
  const found = (await Promise.all(namespaces.slice(0, LARGEST_TRIAL).map((namespace) => dryRunOfPod(cluster, namespace)))).flat();
  return found.length > 0
    ? found
    : [
        ok(
          `a new pod gets its sidecar in ${namespaces.length === 1 ? (namespaces[0] ?? "") : `each of ${namespaces.length} labelled namespaces`}`,
        ),
      ];
}

async function dryRunOfPod(cluster: Cluster, namespace: string): Promise<readonly Finding[]> {
  const { warning, problem, unknown } = findingsAbout("webhooks");
  try {
    const pod = (await cluster.api.create(
      { path: `/api/v1/namespaces/${namespace}/pods`, query: { dryRun: "All" } },
      trialPod(),
    )) as KubePod;
    return hasSidecar(pod)
      ? []
      : [problem(`a new pod in ${namespace} gets no sidecar, though the namespace is labelled`, "helm upgrade seawall ./helm")];
  } catch (error) {
    if (!(error instanceof KubernetesApiError)) throw error;
    if (error.message.includes("violates PodSecurity")) {
      return [
        problem(`Pod Security refuses injected pods in ${namespace}: ${error.message}`, "docs/tasks/pod-security.md says what can be done"),
      ];
    }
    if (error.message.includes("failed calling webhook"))
      return [problem(`no pod can start in ${namespace}: ${error.message}`, "see the control plane's pods and their log")];
    if (isForbidden(error)) return [unknown(`not tried whether a new pod in ${namespace} gets its sidecar: ${error.message}`)];
    return [warning(`a new pod in ${namespace} could not be tried: ${error.message}`)];
  }
}

/** A pod to which no policy of a namespace should object by itself. */
function trialPod(): unknown {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { generateName: "seawall-check-" },
    spec: {
      automountServiceAccountToken: false,
      securityContext: { runAsNonRoot: true, runAsUser: 65532, seccompProfile: { type: "RuntimeDefault" } },
      containers: [
        {
          name: "app",
          image: "seawall-check",
          resources: { requests: { cpu: "1m", memory: "1Mi" }, limits: { cpu: "1m", memory: "1Mi" } },
          securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] } },
        },
      ],
    },
  };
}
