import type { RunningEnvoy } from "../../support/envoy.ts";
import type { TcpEcho } from "../../support/tcp-echo.ts";
import type { Upstream } from "../../support/upstream.ts";

/** An application as a test wants it: a pod, a service account and a Service of the same name. */
export interface ApplicationPlan {
  /** Default `shop`. */
  readonly namespace?: string;
  /** The application's name when absent. */
  readonly serviceAccount?: string;
  /** Beside `app: <name>`. */
  readonly labels?: Readonly<Record<string, string>>;
  /** A TCP port 9000 beside the HTTP port 80; its server speaks first where there is a greeting. */
  readonly tcp?: { readonly greeting?: string };
  /** `none`: the pod has none, and none is expected. `later`: the test starts it. */
  readonly sidecar?: "none" | "later";
}

/** An application that runs. */
export interface Application {
  readonly name: string;
  readonly namespace: string;
  /** The pod's address: its sidecar listens on it at {@link HTTP_PORT}, {@link TCP_PORT} and {@link PROXY_PORT}. */
  readonly address: string;
  readonly upstream: Upstream;
  readonly echo: TcpEcho | undefined;
  /** Throws for a pod without one, and before it was started. */
  readonly sidecar: RunningEnvoy;
}

/** The container's ports, and that of the outbound proxy. */
export const HTTP_PORT = 8080;
export const TCP_PORT = 9000;
export const PROXY_PORT = 15001;

/** The objects of an application, as a file of the mesh. */
export function applicationYaml(name: string, plan: ApplicationPlan, app: Pick<Application, "address" | "upstream" | "echo">): string {
  const { namespace = "shop", serviceAccount = name, labels = {}, sidecar } = plan;
  const ports = [`${HTTP_PORT}=${app.upstream.port}`, ...(app.echo === undefined ? [] : [`${TCP_PORT}=${app.echo.port}`])];
  const containerPorts = [
    { name: "http", containerPort: HTTP_PORT },
    ...(app.echo === undefined ? [] : [{ name: "tcp", containerPort: TCP_PORT }]),
  ];
  const servicePorts = [
    { name: "http", port: 80, targetPort: "http" },
    ...(app.echo === undefined ? [] : [{ name: "tcp", port: TCP_PORT, targetPort: "tcp", appProtocol: "tcp" }]),
  ];
  const annotations = {
    "seawall.dev/application-ports": ports.join(","),
    ...(sidecar === "none" ? { "seawall.dev/inject": "false" } : {}),
  };
  return documents(
    { apiVersion: "v1", kind: "ServiceAccount", metadata: { name: serviceAccount, namespace } },
    {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name, namespace, labels: { app: name, ...labels }, annotations },
      spec: { serviceAccountName: serviceAccount, containers: [{ name: "app", ports: containerPorts }] },
      status: { podIP: app.address },
    },
    { apiVersion: "v1", kind: "Service", metadata: { name, namespace }, spec: { selector: { app: name }, ports: servicePorts } },
  );
}

/** JSON is YAML. */
export function documents(...objects: readonly object[]): string {
  return objects.map((object) => JSON.stringify(object)).join("\n---\n");
}
