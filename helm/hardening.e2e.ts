/** What the chart installs, as its manifests say it: who may do what, who may reach whom, and what outlives the loss of a node. */
import { beforeAll, describe, expect, it } from "@jest/globals";
import { at, type Manifest, named, render, renderWith } from "./testing/helm.ts";

const CONTROL_PLANE = { "app.kubernetes.io/name": "seawall", "app.kubernetes.io/component": "control-plane" };

describe("what the chart installs", () => {
  let manifests: readonly Manifest[];
  let deployment: Manifest | undefined;
  beforeAll(() => {
    manifests = render();
    deployment = named(manifests, "Deployment");
  });
  const pod = (): unknown => at(deployment, "spec.template");
  const container = (path: string): unknown => at(pod(), `spec.containers.0.${path}`);

  describe("may do", () => {
    it("what two roles say, and whoever runs helm test what two others do", () => {
      const roles = manifests.filter(({ kind }) => kind === "ClusterRole" || kind === "Role");
      expect(roles.map(({ kind, metadata }) => `${kind} ${metadata.name}`).toSorted()).toEqual([
        "ClusterRole seawall",
        "ClusterRole seawall-test",
        "Role seawall",
        "Role seawall-test",
      ]);
    });

    it("nothing by way of any other role, and nobody else does", () => {
      const bindings = manifests.filter(({ kind }) => kind.endsWith("Binding"));
      const binding = (kind: string, name: string): object => ({
        kind: `${kind}Binding`,
        roleRef: { apiGroup: "rbac.authorization.k8s.io", kind, name },
        subjects: [{ kind: "ServiceAccount", name, namespace: "seawall-system" }],
      });
      expect(bindings.map(({ kind, roleRef, subjects }) => ({ kind, roleRef, subjects }))).toEqual(
        expect.arrayContaining(["seawall", "seawall-test"].flatMap((name) => [binding("ClusterRole", name), binding("Role", name)])),
      );
      expect(bindings).toHaveLength(4);
      expect(container("name")).toBe("control-plane");
      expect(at(pod(), "spec.serviceAccountName")).toBe("seawall");
    });

    it("in a test of helm look, and try a policy, and no more", () => {
      const rules = (kind: string): unknown => named(manifests, kind, "seawall-test")?.["rules"];
      expect(rules("ClusterRole")).toEqual([
        { apiGroups: [""], resources: ["namespaces", "pods"], verbs: ["get", "list"] },
        { apiGroups: ["seawall.dev"], resources: ["*"], verbs: ["get", "list"] },
        { apiGroups: ["apiextensions.k8s.io"], resources: ["customresourcedefinitions"], verbs: ["get", "list"] },
        {
          apiGroups: ["admissionregistration.k8s.io"],
          resources: ["mutatingwebhookconfigurations", "validatingwebhookconfigurations"],
          resourceNames: ["seawall"],
          verbs: ["get"],
        },
      ]);
      expect(rules("Role")).toEqual([
        { apiGroups: ["apps"], resources: ["deployments"], verbs: ["get"] },
        { apiGroups: ["coordination.k8s.io"], resources: ["leases"], verbs: ["get"] },
        { apiGroups: [""], resources: ["configmaps"], verbs: ["get"] },
        { apiGroups: [""], resources: ["pods/portforward"], verbs: ["get", "create"] },
        { apiGroups: ["seawall.dev"], resources: ["accesspolicies"], verbs: ["create"] },
      ]);
    });

    it.each([
      ["the control plane", (): unknown => at(pod(), "spec")],
      ["the test of helm", (): unknown => named(manifests, "Pod", "seawall-test")?.["spec"]],
    ])("with %s as nobody, with a read-only root file system and without privileges", (_, spec) => {
      expect(at(spec(), "securityContext")).toMatchObject({ runAsNonRoot: true, seccompProfile: { type: "RuntimeDefault" } });
      expect(at(spec(), "containers")).toEqual([
        expect.objectContaining({
          securityContext: {
            allowPrivilegeEscalation: false,
            readOnlyRootFilesystem: true,
            runAsNonRoot: true,
            runAsUser: 65532,
            runAsGroup: 65532,
            capabilities: { drop: ["ALL"] },
            seccompProfile: { type: "RuntimeDefault" },
          },
        }),
      ]);
      for (const shared of ["hostNetwork", "hostPID", "hostIPC"]) expect(at(spec(), shared)).toBeUndefined();
    });
  });

  describe("stays when a node goes or is drained:", () => {
    it("there are two replicas, on two nodes and in two zones where the cluster has them", () => {
      expect(at(deployment, "spec.replicas")).toBe(2);
      expect(at(pod(), "metadata.labels")).toMatchObject(CONTROL_PLANE);
      expect(at(pod(), "spec.affinity")).toEqual({
        podAntiAffinity: {
          preferredDuringSchedulingIgnoredDuringExecution: [
            { weight: 100, podAffinityTerm: { topologyKey: "kubernetes.io/hostname", labelSelector: { matchLabels: CONTROL_PLANE } } },
          ],
        },
      });
      expect(at(pod(), "spec.topologySpreadConstraints")).toEqual([
        {
          maxSkew: 1,
          topologyKey: "topology.kubernetes.io/zone",
          whenUnsatisfiable: "ScheduleAnyway",
          labelSelector: { matchLabels: CONTROL_PLANE },
        },
      ]);
    });

    it("a drain takes one at a time, and a rollout takes none before its successor is ready", () => {
      expect(named(manifests, "PodDisruptionBudget")?.["spec"]).toEqual({
        maxUnavailable: 1,
        unhealthyPodEvictionPolicy: "AlwaysAllow",
        selector: { matchLabels: CONTROL_PLANE },
      });
      expect(at(deployment, "spec.strategy")).toEqual({ type: "RollingUpdate", rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } });
    });

    it("one that no longer answers is restarted, and asked for nothing meanwhile", () => {
      for (const probe of ["startupProbe", "livenessProbe"])
        expect(container(`${probe}.httpGet`)).toEqual({ path: "/healthz", port: "admin" });
      expect(container("readinessProbe.httpGet")).toEqual({ path: "/readyz", port: "admin" });
      expect(container("resources.requests")).toEqual({ cpu: "200m", memory: "256Mi" });
    });
  });

  describe("can be reached", () => {
    it("by sidecars, by the API server, and by its own namespace for metrics", () => {
      expect(named(manifests, "NetworkPolicy")?.["spec"]).toEqual({
        podSelector: { matchLabels: CONTROL_PLANE },
        policyTypes: ["Ingress"],
        ingress: [
          { from: [{ namespaceSelector: {} }], ports: [{ port: 15010, protocol: "TCP" }] },
          { ports: [{ port: 8443, protocol: "TCP" }] },
          { from: [{ podSelector: {} }], ports: [{ port: 15014, protocol: "TCP" }] },
        ],
      });
    });

    it("at ports that agree with one another", () => {
      const containerPorts = container("ports") as readonly { readonly name: string; readonly containerPort: number }[];
      const ports = new Map(containerPorts.map(({ name, containerPort }) => [name, containerPort]));
      const listens = (flag: string): number =>
        Number(/(\d+)$/.exec((container("args") as string[]).find((arg) => arg.startsWith(`--${flag}-address=`)) ?? "")?.[1]);
      expect(ports).toEqual(new Map(["xds", "webhook", "admin"].map((name) => [name, listens(name)])));
      const service = named(manifests, "Service");
      expect(at(service, "spec")).toEqual({
        selector: CONTROL_PLANE,
        ports: [
          // Sidecars are told this number, webhooks the next.
          { name: "grpc-xds", port: 15010, targetPort: "xds" },
          { name: "https-webhook", port: 443, targetPort: "webhook" },
          { name: "http-admin", port: 15014, targetPort: "admin" },
        ],
      });
      for (const kind of ["MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"])
        expect(at(named(manifests, kind), "webhooks.0.clientConfig.service")).toMatchObject({
          namespace: "seawall-system",
          name: "seawall",
          port: 443,
        });
      expect(at(pod(), "metadata.annotations")).toMatchObject({ "prometheus.io/scrape": "true", "prometheus.io/port": "15014" });
    });

    it("by a Prometheus that its operator set up, at a port that the Service has", () => {
      const monitored = render("serviceMonitor.enabled=true", "serviceMonitor.labels.release=prometheus");
      const monitor = named(monitored, "ServiceMonitor");
      const service = named(monitored, "Service");
      expect(service?.metadata.labels).toMatchObject(at(monitor, "spec.selector.matchLabels") as object);
      expect(at(service, "spec.ports")).toContainEqual(expect.objectContaining({ name: at(monitor, "spec.endpoints.0.port") }));
      expect(monitor?.metadata.labels).toMatchObject({ release: "prometheus" });
    });
  });

  describe("asks and is asked:", () => {
    it("never is a pod of its own injected", () => {
      expect(at(pod(), "metadata.labels")).toMatchObject({ "seawall.dev/inject": "false" });
      const webhook = at(named(manifests, "MutatingWebhookConfiguration"), "webhooks.0");
      expect(at(webhook, "objectSelector.matchExpressions")).toEqual([{ key: "seawall.dev/inject", operator: "NotIn", values: ["false"] }]);
      expect(at(webhook, "reinvocationPolicy")).toBe("IfNeeded");
    });

    it.each(["Fail", "Ignore"])("injection fails closed where what cannot be judged of policies is told to %s", (failurePolicy) => {
      const told = render(`admission.failurePolicy=${failurePolicy}`);
      expect(at(named(told, "MutatingWebhookConfiguration"), "webhooks.0.failurePolicy")).toBe("Fail");
      expect(at(named(told, "ValidatingWebhookConfiguration"), "webhooks.0.failurePolicy")).toBe(failurePolicy);
    });

    it("policies that nobody could judge are refused unless somebody says otherwise", () => {
      expect(at(named(manifests, "ValidatingWebhookConfiguration"), "webhooks.0.failurePolicy")).toBe("Fail");
    });

    it("replicas know each other by a token for nobody else, which is renewed", () => {
      const [token] = (at(pod(), "spec.volumes") as readonly { readonly name: string }[]).filter(({ name }) => name === "token");
      expect(at(token, "projected.sources")).toEqual([
        { serviceAccountToken: { audience: "seawall", expirationSeconds: 3600, path: "token" } },
      ]);
    });
  });

  it("says for whom it is: Kubernetes with native sidecars", () => {
    expect(() => renderWith({}, "1.28.9")).toThrow("incompatible with Kubernetes");
  });
});
