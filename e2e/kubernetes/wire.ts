import { describe, expect, it } from "@jest/globals";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { onOwnNode, ORDERS, SHOP, type Stage } from "./stage.ts";

/** What somebody sees who listens on the wire between two pods. */
export function wire(stage: Stage): void {
  describe("the wire between two pods", () => {
    onOwnNode("carries nothing readable, only TLS", async () => {
      const secret = "plaintext-marker-7f3a";
      const addresses = await stage.cluster.kubectl(
        ...["get", "pods", "-n", SHOP, "-l", "app=orders", "-o", "jsonpath={range .items[*]}{.status.podIP} {end}"],
      );
      const hosts = addresses.trim().split(" ");
      const filter = hosts.map((address) => `host ${address}`).join(" or ");
      const capture = stage.cluster.start(["tcpdump", "-i", "any", "-U", "-A", "-s", "0", "-n", `tcp and (${filter})`]);
      const seen = text(capture.stdout as NodeJS.ReadableStream);
      await listening(capture.stderr as NodeJS.ReadableStream);
      for (let call = 0; call < 5; call++) {
        expect(await stage.web.call({ url: `${ORDERS}/orders?${secret}` })).toMatchObject({ status: 200 });
      }
      capture.kill("SIGINT");
      await once(capture, "exit");
      const captured = await seen;
      // The application's port is what the caller's sidecar dials at the pod.
      expect(captured).toMatch(new RegExp(`(${hosts.map((host) => host.replaceAll(".", "\\.")).join("|")})\\.8080: Flags \\[P`));
      expect(captured).not.toContain(secret);
      expect(captured).not.toContain("GET /orders");
    });

    it("lets nobody in who has no sidecar, and no server greet them", async () => {
      await stage.cluster.apply(`apiVersion: v1
kind: Pod
metadata: { name: outsider, namespace: shop, labels: { app: outsider, seawall.dev/inject: "false" }, annotations: { seawall.dev/inject: "false" } }
spec:
  containers: [{ name: app, image: localhost/app:1, imagePullPolicy: Never }]
`);
      await stage.cluster.kubectl("wait", "-n", SHOP, "pod/outsider", "--for=condition=Ready", "--timeout=180s");
      const call = await stage.cluster.run([
        ...(["kubectl", "exec", "-n", SHOP, "outsider", "--"] as const),
        ...["curl", "-s", "-m", "30", "-o", "/dev/null", "-w", "%{http_code}", `${ORDERS}/orders`],
      ]);
      expect({ caller: "a pod without sidecar", ...call }).toMatchObject({ stdout: "403" });
      const speak = `require("node:net").connect(9000, "orders.${SHOP}.svc.cluster.local", () => console.log("connected"))
        .on("error", () => {}).on("data", (data) => console.log(String(data))).write("hello\\n");`;
      const talk = await stage.cluster.run(["kubectl", "exec", "-n", SHOP, "outsider", "--", "node", "-e", speak], { timeoutMs: 60_000 });
      expect({ caller: "a pod without sidecar", ...talk }).toMatchObject({ stdout: "connected\n" });
      await stage.cluster.kubectl("delete", "pod", "-n", SHOP, "outsider", "--now");
    });
  });
}

/** Resolves when tcpdump captures. */
function listening(stderr: NodeJS.ReadableStream): Promise<void> {
  return new Promise((resolve, reject) => {
    let said = "";
    stderr.on("data", (chunk: Buffer) => {
      said += chunk.toString();
      if (said.includes("listening on")) resolve();
    });
    stderr.on("end", () => reject(new Error(`tcpdump ended: ${said}`)));
  });
}
