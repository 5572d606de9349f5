/** The application of the scenario as a user writes it: Deployments, Services, nothing of Seawall's. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { stringify } from "yaml";

const program = (name: string): string => readFileSync(join(import.meta.dirname, "programs", name), "utf8");

export const IMAGE = "localhost/app:1";

/** A namespace, injected unless said otherwise, and the programs that its pods run. */
export function namespace(name: string, labels: Readonly<Record<string, string>> = { "seawall.dev/injection": "enabled" }): string {
  return documents(
    { apiVersion: "v1", kind: "Namespace", metadata: { name, labels } },
    {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name: "programs", namespace: name },
      data: { "server.mjs": program("server.mjs"), "client.mjs": program("client.mjs") },
    },
  );
}

interface Running {
  readonly namespace: string;
  readonly name: string;
  readonly replicas?: number;
  readonly annotations?: Readonly<Record<string, string>>;
  /** How long it goes on when it is told to end: what a careful user writes who wants rollouts without a failed call. */
  readonly preStopSeconds?: number;
}

/** Answers HTTP on 8080 (Service port 80) and speaks first on 9000; its kubelet probes are of the usual kinds. */
export function server({ namespace, name, replicas = 1, annotations = {}, preStopSeconds }: Running): string {
  return documents(
    account(namespace, name),
    {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name, namespace },
      spec: {
        selector: { app: name },
        ports: [
          { name: "http", port: 80, targetPort: "http" },
          { name: "tcp-greeting", port: 9000, targetPort: 9000, appProtocol: "tcp" },
        ],
      },
    },
    deployment({ namespace, name, replicas, annotations }, "server.mjs", {
      ports: [
        { name: "http", containerPort: 8080 },
        { name: "tcp-greeting", containerPort: 9000 },
      ],
      readinessProbe: { httpGet: { path: "/ready", port: "http" }, periodSeconds: 1 },
      livenessProbe: { tcpSocket: { port: 9000 }, periodSeconds: 5 },
      ...(preStopSeconds === undefined ? {} : { lifecycle: { preStop: { sleep: { seconds: preStopSeconds } } } }),
    }),
  );
}

/** Calls what it is told to; see `Client`. */
export function client(running: Running): string {
  return documents(account(running.namespace, running.name), deployment(running, "client.mjs", {}));
}

function account(namespace: string, name: string): object {
  return { apiVersion: "v1", kind: "ServiceAccount", metadata: { name, namespace } };
}

function deployment({ namespace, name, replicas = 1, annotations = {} }: Running, file: string, container: object): object {
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name, namespace },
    spec: {
      replicas,
      selector: { matchLabels: { app: name } },
      strategy: { rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } },
      template: {
        metadata: { labels: { app: name }, annotations },
        spec: {
          serviceAccountName: name,
          terminationGracePeriodSeconds: 30,
          containers: [
            {
              name: "app",
              image: IMAGE,
              imagePullPolicy: "Never",
              command: ["node", `/programs/${file}`],
              volumeMounts: [{ name: "programs", mountPath: "/programs" }],
              ...container,
            },
          ],
          volumes: [{ name: "programs", configMap: { name: "programs" } }],
        },
      },
    },
  };
}

/** A stream of YAML documents. */
export function documents(...objects: readonly object[]): string {
  return objects.map((object) => stringify(object)).join("---\n");
}
