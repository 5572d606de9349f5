/** Is the authority in good time, and does what the control plane serves with come from it? */
import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { connect } from "node:tls";
import { type KubeConfigMap, SEAWALL } from "../cluster/objects.ts";
import { describeDuration } from "../duration.ts";
import { type Check, type Finding, findingsAbout, type Installation } from "./finding.ts";

const SOON_MS = 30 * 86_400_000;
const XDS_PORT = 15010;

export const certificatesCheck: Check = {
  area: "certificates",
  async look(installation) {
    const { ok, problem } = findingsAbout(this.area);
    const { cluster, now } = installation;
    const path = `/api/v1/namespaces/${SEAWALL.namespace}/configmaps/${SEAWALL.trustConfigMap}`;
    const pem = ((await cluster.find(path)) as KubeConfigMap | undefined)?.data?.[SEAWALL.trustKey];
    if (pem === undefined) {
      return [
        problem(
          `there is no ConfigMap ${SEAWALL.namespace}/${SEAWALL.trustConfigMap} with ${SEAWALL.trustKey}`,
          "the leader makes it: see its log",
        ),
      ];
    }
    const roots = (pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []).map(
      (block) => new X509Certificate(block),
    );
    const found = roots.flatMap((root) => judge("the root", root.validToDate.getTime(), now));
    const intermediate = await intermediateExpiry(installation);
    if (intermediate !== undefined) found.push(...judge("the intermediate", intermediate, now));
    found.push(...(await servingCertificates(installation, pem)));
    if (found.length > 0) return found;
    const longest = Math.max(...roots.map((root) => root.validToDate.getTime()));
    const until = intermediate === undefined ? "" : `, the intermediate for ${describeDuration(intermediate - now)} and is renewed`;
    return [ok(`the root is good for ${describeDuration(longest - now)}${until}`)];
  },
};

function judge(what: string, notAfter: number, now: number): Finding[] {
  const { warning, problem } = findingsAbout("certificates");
  if (notAfter <= now)
    return [problem(`${what} expired ${describeDuration(now - notAfter)} ago`, "see the control plane's log: why was it not renewed?")];
  if (what === "the root" && notAfter - now < SOON_MS)
    return [warning(`${what} expires in ${describeDuration(notAfter - now)}`, "docs/tasks/root-of-the-mesh.md says what can be done")];
  return [];
}

async function intermediateExpiry({ replicas }: Installation): Promise<number | undefined> {
  const metrics = await replicas[0]?.admin.text("/metrics");
  const seconds = /^seawall_ca_expiry_timestamp_seconds\{certificate="intermediate"\} (\S+)$/m.exec(metrics ?? "")?.[1];
  return seconds === undefined ? undefined : Number(seconds) * 1_000;
}

/** Whether sidecars could trust each replica. */
async function servingCertificates({ cluster, replicas }: Installation, ca: string): Promise<Finding[]> {
  const { problem } = findingsAbout("certificates");
  const servername = `${SEAWALL.name}.${SEAWALL.namespace}.svc`;
  const found: Finding[] = [];
  for (const { name } of replicas) {
    const port = await cluster.openPort(SEAWALL.namespace, name, XDS_PORT);
    const socket = connect({ host: port.host, port: port.port, ca, servername, ALPNProtocols: ["h2"], timeout: 10_000 });
    try {
      socket.once("timeout", () => socket.destroy(new Error("no answer within 10 s")));
      await once(socket, "secureConnect");
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      found.push(problem(`sidecars cannot trust ${name}: ${reason}`, `kubectl -n ${SEAWALL.namespace} delete pod ${name}`));
    } finally {
      socket.destroy();
      await port.close();
    }
  }
  return found;
}
