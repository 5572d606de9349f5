/** The image that the suite's pods run, made here: the echo server and its client, with a certificate of nobody's. */
import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { buildImage } from "../../tools/images/build-images.ts";
import { systemFiles } from "../../tools/images/seawall-images.ts";
import type { ConformancePrograms } from "./programs.ts";

const UID = 1000;

/** Returns the archive, to be imported into the cluster's nodes. */
export function buildEchoImage(name: string, programs: ConformancePrograms): Promise<string> {
  return buildImage((work) => {
    const { certificate, key } = selfSigned(join(work, "tls"));
    return {
      name,
      tree: {
        programs: [
          { from: programs.echoServer, to: "/usr/local/bin/server" },
          { from: programs.echoClient, to: "/usr/local/bin/client" },
        ],
        copies: [
          { from: certificate, to: "/cert.crt" },
          { from: key, to: "/cert.key" },
        ],
        texts: systemFiles({ echo: UID }),
      },
      run: { user: `${UID}:${UID}`, entrypoint: ["/usr/local/bin/server"], environment: { PATH: "/usr/local/bin:/usr/bin:/bin" } },
    };
  });
}

function selfSigned(folder: string): { readonly certificate: string; readonly key: string } {
  mkdirSync(folder, { recursive: true });
  const [certificate, key] = [join(folder, "cert.crt"), join(folder, "cert.key")];
  const algorithm = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
  const args = ["req", "-x509", ...algorithm, "-subj", "/CN=echo", "-days", "3650", "-keyout", key, "-out", certificate];
  execFileSync("openssl", args, { stdio: ["ignore", "ignore", "pipe"] });
  chmodSync(key, 0o644);
  return { certificate, key };
}
