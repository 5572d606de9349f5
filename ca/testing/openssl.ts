import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryFolder } from "./temporary-folder.ts";

export type Purpose = "sslserver" | "sslclient";

/** What openssl, which shares no code with us, says of a chain (leaf first) at a moment in Unix milliseconds: "OK" or its complaint. */
export function verdict(chainPem: string, trustedPem: string, purpose: Purpose, at: number): string {
  using folder = temporaryFolder();
  const [chain, trusted] = [join(folder.path, "chain.pem"), join(folder.path, "trusted.pem")];
  writeFileSync(chain, chainPem);
  writeFileSync(trusted, trustedPem);
  const arguments_ = ["verify", "-x509_strict", "-purpose", purpose, "-attime", String(Math.floor(at / 1000))];
  const output = openssl([...arguments_, "-CAfile", trusted, "-untrusted", chain, chain]);
  return output.endsWith(": OK\n") ? "OK" : output;
}

/** A certificate as openssl prints it. */
export function textOf(pem: string): string {
  return openssl(["x509", "-noout", "-text"], pem);
}

function openssl(arguments_: readonly string[], input = ""): string {
  const { error, stdout, stderr } = spawnSync("openssl", arguments_, { encoding: "utf8", input });
  if (error) {
    throw new Error("openssl is missing, which these tests need as a judge of certificates (Debian: apt-get install openssl)", {
      cause: error,
    });
  }
  return stdout + stderr;
}
