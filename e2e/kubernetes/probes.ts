import { describe, expect, it } from "@jest/globals";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { SEAWALL_VERSION } from "../../tools/images/seawall-images.ts";
import { documents } from "./application.ts";
import { eventually } from "./eventually.ts";
import type { Stage } from "./stage.ts";

const NAMESPACE = "probes";
const POD = "health";
const PROGRAM = readFileSync(join(import.meta.dirname, "programs", "health.mjs"), "utf8");

interface ContainerState {
  readonly started: boolean;
  readonly ready: boolean;
  readonly restarts: number;
}

/** The kubelet's gRPC probes, which the sidecar answers for a gRPC server with the standard health service. */
export function probes(stage: Pick<Stage, "cluster">): void {
  describe("a gRPC probe", () => {
    /** Tells the program, see programs/health.mjs; it may have started a moment ago and not listen yet. */
    const tell = (order: object): Promise<unknown> =>
      eventually(
        () => {
          const script = `fetch("http://127.0.0.1:7000",{method:"POST",body:process.argv[1]}).then(r=>r.text()).then(t=>process.stdout.write(t))`;
          const exec = ["exec", "-n", NAMESPACE, POD, "-c", "app", "--", "node", "-e", script, JSON.stringify(order)];
          return stage.cluster.run(["kubectl", ...exec]);
        },
        ({ stdout }) => stdout === "done",
      );

    async function look(): Promise<ContainerState> {
      const path = "jsonpath={.status.containerStatuses[0]}";
      const text = await stage.cluster.kubectl("get", "pod", "-n", NAMESPACE, POD, "-o", path);
      const { started, ready, restartCount } = JSON.parse(text || "{}") as { started?: boolean; ready?: boolean; restartCount?: number };
      return { started: started ?? false, ready: ready ?? false, restarts: restartCount ?? 0 };
    }

    const becomes = (state: ContainerState): Promise<ContainerState> =>
      eventually(look, (now) => now.started === state.started && now.ready === state.ready && now.restarts === state.restarts, 120_000);

    const failures = (): Promise<string> =>
      stage.cluster.kubectl(
        ...["get", "events", "-n", NAMESPACE, "--field-selector", `involvedObject.name=${POD},reason=Unhealthy`],
        ...["-o", "jsonpath={.items[*].message}"],
      );

    it("of a port that nothing serves holds its pod back", async () => {
      await stage.cluster.apply(
        documents({ apiVersion: "v1", kind: "Namespace", metadata: { name: NAMESPACE, labels: { "seawall.dev/injection": "enabled" } } }),
      );
      const probe = (service: string, failureThreshold: number): object => ({
        grpc: { port: 5000, service },
        periodSeconds: 1,
        failureThreshold,
      });
      const container = {
        name: "app",
        image: `seawall/control-plane:${SEAWALL_VERSION}`,
        imagePullPolicy: "Never",
        command: ["node", "--input-type=module", "--eval", PROGRAM],
        startupProbe: probe("shop.Started", 600),
        readinessProbe: probe("shop.Ready", 1),
        livenessProbe: probe("shop.Alive", 2),
      };
      const spec = { terminationGracePeriodSeconds: 1, containers: [container] };
      const { status, stderr } = await eventually(
        () =>
          stage.cluster.run(["kubectl", "create", "-f", "-"], {
            input: documents({ apiVersion: "v1", kind: "Pod", metadata: { name: POD, namespace: NAMESPACE }, spec }),
          }),
        // A controller makes the namespace's account in a moment.
        ({ status, stderr }) => status === 0 || !stderr.includes("serviceaccount"),
      );
      expect({ status, stderr }).toMatchObject({ status: 0 });
      await eventually(failures, (messages) => messages.includes("Startup probe failed"), 120_000);
      expect(await look()).toEqual({ started: false, ready: false, restarts: 0 });
    });

    it("makes its pod ready when the service that it names is served, and not before", async () => {
      await tell({ action: "answer", "shop.Started": "SERVING", "shop.Alive": "SERVING", "shop.Ready": "NOT_SERVING", "": "SERVING" });
      await tell({ action: "listen" });
      await eventually(failures, (messages) => messages.includes("Readiness probe failed"), 120_000);
      expect(await look()).toEqual({ started: true, ready: false, restarts: 0 });
      await tell({ action: "answer", "shop.Ready": "SERVING" });
      await becomes({ started: true, ready: true, restarts: 0 });
    });

    it("takes its pod out of service while the service that it names is not served", async () => {
      await tell({ action: "answer", "shop.Ready": "NOT_SERVING" });
      await becomes({ started: true, ready: false, restarts: 0 });
      await tell({ action: "answer", "shop.Ready": "SERVING" });
      await becomes({ started: true, ready: true, restarts: 0 });
    });

    it("has its container restarted when the service that it names is no longer known", async () => {
      await stage.cluster.kubectl("wait", "-n", NAMESPACE, `pod/${POD}`, "--for=condition=Ready", "--timeout=60s");
      await tell({ action: "forget", service: "shop.Alive" });
      await becomes({ started: false, ready: false, restarts: 1 });
      expect(await failures()).toContain("Liveness probe failed");
    });

    it("goes with its namespace", async () => {
      await stage.cluster.kubectl("delete", "namespace", NAMESPACE, "--timeout=120s");
    });
  });
}
