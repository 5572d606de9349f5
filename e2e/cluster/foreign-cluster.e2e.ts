/** Before tests begin on a cluster of somebody else's, on a real API server that has no node. */
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ApiServer, startApiServer } from "./api-server.ts";
import { ForeignCluster, missingImages, obstacles } from "./foreign-cluster.ts";

const KIND = join(import.meta.dirname, "..", "..", "helm", "files", "crds", "seawall.dev_meshconfigs.yaml");

describe("a cluster that KUBECONFIG names", () => {
  let server: ApiServer;
  let folder: string;
  beforeAll(async () => {
    server = await startApiServer();
    folder = await mkdtemp(join(tmpdir(), "seawall-foreign-"));
  });
  afterAll(async () => {
    await server.stop();
    await rm(folder, { recursive: true, force: true });
  });

  /** The cluster as somebody sees it whose kubeconfig is the administrator's but for a change. */
  async function seenWith(change: (kubeconfig: string) => string): Promise<ForeignCluster> {
    const file = join(folder, "kubeconfig");
    await writeFile(file, change(await readFile(server.kubeconfig, "utf8")));
    return new ForeignCluster(file);
  }

  it("is taken when nothing of what tests make is there, and somebody else's things stay", async () => {
    const cluster = new ForeignCluster(server.kubeconfig);
    await cluster.kubectl("create", "namespace", "theirs");
    expect(await obstacles(cluster)).toEqual([]);
    expect(await cluster.open()).toBe(cluster);
    await cluster.apply(await readFile(KIND, "utf8"));
    await cluster.stop();
    expect(await obstacles(cluster)).toEqual([]);
    expect(await cluster.kubectl("get", "namespace", "theirs", "--output=jsonpath={.status.phase}")).toBe("Active");
  });

  it("is refused when Seawall or anything of the tests' names is there, all of it said", async () => {
    const cluster = new ForeignCluster(server.kubeconfig);
    await cluster.apply(await readFile(KIND, "utf8"));
    await cluster.kubectl("create", "namespace", "shop");
    expect(await obstacles(cluster)).toEqual([
      expect.stringContaining("Seawall is there already (meshconfigs.seawall.dev)"),
      expect.stringContaining("namespace/shop"),
    ]);
    await expect(cluster.open()).rejects.toThrow(/cannot take the tests: Seawall is there already/);
  });

  it("is refused to somebody who may not do everything there, who is named", async () => {
    const admin = new ForeignCluster(server.kubeconfig);
    await admin.kubectl("create", "serviceaccount", "weak", "--namespace", "default");
    const token = await admin.kubectl("create", "token", "weak", "--namespace", "default");
    const cluster = await seenWith((text) => text.replace(/token: .*/, `token: ${token}`));
    expect(await obstacles(cluster)).toEqual([expect.stringMatching(/^system:serviceaccount:default:weak .*cluster-admin/)]);
  });

  it("is refused when nobody answers, or no kubeconfig is where it should be", async () => {
    const cluster = await seenWith((text) => text.replace(/:\d+$/m, ":1"));
    expect(await obstacles(cluster)).toEqual([expect.stringMatching(/^no API server answers: .*refused/)]);
    expect(await obstacles(new ForeignCluster(join(folder, "none")))).toEqual(["there is no such file"]);
  });

  it("is refused without a node that takes pods", async () => {
    expect(await missingImages(new ForeignCluster(server.kubeconfig), [])).toEqual(["it has no node that takes pods"]);
  });
});
