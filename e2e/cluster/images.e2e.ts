import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { stringify } from "yaml";
import { ENVOY } from "../../tools/versions.ts";
import { buildNamed } from "../../tools/images/build-images.ts";
import { CONTROL_PLANE_UID, SEAWALL_VERSION } from "../../tools/images/seawall-images.ts";
import type { Cluster } from "./cluster.ts";
import { openCluster } from "./open-cluster.ts";

/** Pod Security refuses there whatever is root, writable or may gain privileges. */
const RESTRICTED = "image-restricted";
const FREE = "image-free";

const LEAST = {
  runAsNonRoot: true,
  readOnlyRootFilesystem: true,
  allowPrivilegeEscalation: false,
  capabilities: { drop: ["ALL"] },
  seccompProfile: { type: "RuntimeDefault" },
};

interface Run {
  readonly namespace: string;
  readonly name: string;
  readonly image: string;
  readonly securityContext: object;
  readonly command?: readonly string[];
  readonly args: readonly string[];
}

describe("the images on a node", () => {
  let cluster: Cluster;

  beforeAll(async () => {
    cluster = await openCluster();
    for (const name of ["control-plane", "sidecar"] as const) await cluster.importImage(await buildNamed(name));
    const enforce = { "pod-security.kubernetes.io/enforce": "restricted" };
    const namespaces = [
      { apiVersion: "v1", kind: "Namespace", metadata: { name: RESTRICTED, labels: enforce } },
      { apiVersion: "v1", kind: "Namespace", metadata: { name: FREE } },
    ];
    await cluster.apply(namespaces.map((object) => stringify(object)).join("---\n"));
  }, 300_000);

  afterAll(async () => {
    await cluster.kubectl("delete", "namespace", RESTRICTED, FREE, "--wait=false", "--ignore-not-found");
    await cluster.stop();
  });

  /** What the container printed until its end, which must be a good one. */
  async function printed({ namespace, name, ...container }: Run): Promise<string> {
    const spec = { restartPolicy: "Never", containers: [{ name, imagePullPolicy: "IfNotPresent", ...container }] };
    await cluster.apply(stringify({ apiVersion: "v1", kind: "Pod", metadata: { name, namespace }, spec }));
    const ended = ["--for=jsonpath={.status.phase}=Succeeded", "--timeout=60s"];
    await cluster.kubectl("wait", "--namespace", namespace, `pod/${name}`, ...ended);
    return cluster.kubectl("logs", "--namespace", namespace, name);
  }

  it("run the control plane with the least of rights, as nobody in particular", async () => {
    const image = `seawall/control-plane:${SEAWALL_VERSION}`;
    const version = await printed({ namespace: RESTRICTED, name: "version", image, securityContext: LEAST, args: ["--version"] });
    expect(version.trim()).toBe(SEAWALL_VERSION);
    const command = ["/usr/local/bin/node", "-p"];
    const user = await printed({ namespace: RESTRICTED, name: "user", image, securityContext: LEAST, command, args: ["process.getuid()"] });
    expect(Number(user)).toBe(CONTROL_PLANE_UID);
  });

  it("run the sidecar with the least of rights, as a user that is not root", async () => {
    const image = `seawall/sidecar:${SEAWALL_VERSION}`;
    const version = await printed({ namespace: RESTRICTED, name: "envoy", image, securityContext: LEAST, args: ["--version"] });
    expect(version).toContain(`/${ENVOY.version}/`);
  });

  it("redirect connections of both address families with the sidecar's image", async () => {
    const rules =
      "add table inet t; add chain inet t c { type nat hook prerouting priority dstnat; }; add rule inet t c meta l4proto tcp redirect to :15006";
    const listed = await printed({
      namespace: FREE,
      name: "redirect",
      image: `seawall/sidecar:${SEAWALL_VERSION}`,
      securityContext: { ...LEAST, runAsUser: 0, runAsNonRoot: false, capabilities: { drop: ["ALL"], add: ["NET_ADMIN"] } },
      command: ["/usr/sbin/nft"],
      args: ["--echo", rules],
    });
    expect(listed).toContain("redirect to :15006");
  });
});
