/** The images that the chart installs. The Dockerfile says the same for those who have docker; a test holds them together. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { rootCertificates } from "node:tls";
import { envoyPath } from "../fetch-envoy.ts";
import type { Image } from "./image.ts";
import { productionPackages } from "./production-packages.ts";
import type { Copied } from "./root-file-system.ts";

export const REPOSITORY = join(import.meta.dirname, "..", "..");

export const SEAWALL_VERSION = (JSON.parse(readFileSync(join(REPOSITORY, "package.json"), "utf8")) as { version: string }).version;

/** The Node.js that Seawall is tested with; it comes with the development dependencies. */
export const NODE: Copied = { from: join(REPOSITORY, "node_modules", "node", "bin", "node"), to: "/usr/local/bin/node" };

/** Zones by name, without the two copies that count leap seconds or repeat all. */
export const TIME_ZONES: Copied = {
  from: "/usr/share/zoneinfo",
  to: "/usr/share/zoneinfo",
  only: (path) => !/^(?:right|posix)(?:\/|$)/.test(path),
};

/** Who is who, for programs that ask; names by files and DNS; the public authorities that Node.js ships. */
export function systemFiles(users: Readonly<Record<string, number>>): Readonly<Record<string, string>> {
  const all = Object.entries({ root: 0, ...users });
  return {
    "/etc/passwd": all.map(([name, id]) => `${name}:x:${id}:${id}:${name}:/:/sbin/nologin\n`).join(""),
    "/etc/group": all.map(([name, id]) => `${name}:x:${id}:\n`).join(""),
    "/etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\nprotocols: files\n",
    "/etc/protocols": "ip 0 IP\nicmp 1 ICMP\ntcp 6 TCP\nudp 17 UDP\nipv6-icmp 58 IPv6-ICMP\n",
    "/etc/ssl/certs/ca-certificates.crt": `${rootCertificates.join("\n")}\n`,
  };
}

export const CONTROL_PLANE_UID = 65532;
/** As the injector and the redirect know it. */
export const SIDECAR_UID = 1337;

/** `built` is a folder as tools/build.ts makes it. */
export function controlPlaneImage(built: string): Image {
  return {
    name: `seawall/control-plane:${SEAWALL_VERSION}`,
    tree: {
      programs: [NODE],
      copies: [
        { from: built, to: "/app/dist", only: programs },
        ...productionPackages(REPOSITORY).map((path) => packageAt(path)),
        TIME_ZONES,
      ],
      texts: systemFiles({ seawall: CONTROL_PLANE_UID }),
    },
    run: {
      user: `${CONTROL_PLANE_UID}:${CONTROL_PLANE_UID}`,
      entrypoint: ["/usr/local/bin/node", "/app/dist/cli/seawall.js"],
      arguments: ["controller"],
      environment: { NODE_ENV: "production", PATH: "/usr/local/bin:/usr/sbin:/usr/bin" },
      workingFolder: "/app",
    },
  };
}

/** Stock Envoy, and nft for the init container that redirects a pod's traffic into it. */
export function sidecarImage(): Image {
  return {
    name: `seawall/sidecar:${SEAWALL_VERSION}`,
    tree: {
      programs: [
        { from: envoyPath(), to: "/usr/local/bin/envoy" },
        { from: "/usr/sbin/nft", to: "/usr/sbin/nft" },
      ],
      copies: [TIME_ZONES],
      texts: systemFiles({ "seawall-proxy": SIDECAR_UID }),
    },
    run: {
      user: `${SIDECAR_UID}:${SIDECAR_UID}`,
      entrypoint: ["/usr/local/bin/envoy"],
      environment: { PATH: "/usr/local/bin:/usr/sbin:/usr/bin" },
    },
  };
}

/** Without the maps, which lead to sources that are on the machine that built it, and by its folders' names. */
function programs(path: string): boolean {
  return !path.endsWith(".map");
}

/** A package without those that are nested in it, which are listed by themselves. */
function packageAt(path: string): Copied {
  return { from: join(REPOSITORY, path), to: `/app/${path}`, only: (file) => !file.split("/").includes("node_modules") };
}
