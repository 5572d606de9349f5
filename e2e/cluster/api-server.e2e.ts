import { describe, expect, it } from "@jest/globals";
import { spawnSync } from "node:child_process";
import { clusterProgram } from "../../tools/cluster/fetch-cluster-tools.ts";
import { type ApiServer, startApiServer } from "./api-server.ts";

function kubectl(server: ApiServer, ...args: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(clusterProgram("kubectl"), ["--kubeconfig", server.kubeconfig, ...args], { encoding: "utf8" });
}

describe("a real API server on loopback", () => {
  it("takes objects from kubectl and keeps them over a restart", async () => {
    await using server = await startApiServer();
    expect(kubectl(server, "create", "configmap", "kept", "--from-literal=a=1").stderr).toBe("");
    await server.restart();
    expect(kubectl(server, "get", "configmap", "kept", "-o", "jsonpath={.data.a}").stdout).toBe("1");
  });

  it("signs tokens of service accounts for an audience, and reviews them", async () => {
    await using server = await startApiServer();
    kubectl(server, "create", "serviceaccount", "caller");
    const token = kubectl(server, "create", "token", "caller", "--audience=seawall").stdout.trim();
    const review = { apiVersion: "authentication.k8s.io/v1", kind: "TokenReview", spec: { token, audiences: ["seawall"] } };
    const answer = spawnSync(
      clusterProgram("kubectl"),
      ["--kubeconfig", server.kubeconfig, "create", "-f", "-", "-o", "jsonpath={.status.user.username}"],
      { encoding: "utf8", input: JSON.stringify(review) },
    );
    expect(answer.stdout).toBe("system:serviceaccount:default:caller");
  });

  it("lets nobody in without a token", async () => {
    await using server = await startApiServer();
    const refused = kubectl(server, "--token=guessed", "get", "pods");
    expect(refused.stderr).toMatch(/Unauthorized|logged in/);
  });

  it("tells who resumes a watch from a forgotten revision that it is gone", async () => {
    await using server = await startApiServer();
    const list = JSON.parse(kubectl(server, "get", "--raw", "/api/v1/configmaps").stdout) as { metadata: { resourceVersion: string } };
    const before = list.metadata.resourceVersion;
    kubectl(server, "create", "configmap", "later");
    await server.compact();
    await server.restart();
    const watched = kubectl(server, "get", "--raw", `/api/v1/configmaps?watch=1&timeoutSeconds=5&resourceVersion=${before}`);
    expect(watched.stdout).toContain('"code":410');
  });
});
