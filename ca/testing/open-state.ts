/** Opens the state folder that the first argument names, as a control plane does, and prints what it found there. For tests that need a process of its own. */
import { CertificateAuthority } from "../authority.ts";
import { JoinTokenKey } from "../join-token.ts";
import { StateError } from "../state-error.ts";
import { StateFolder } from "../state-folder.ts";

try {
  const folder = StateFolder.open(process.argv[2] ?? "", "write");
  const authority = new CertificateAuthority({ store: folder, trustDomain: "cluster.local" });
  const { chainPem } = authority.issue({ trustDomain: "cluster.local", namespace: "shop", serviceAccount: "web" });
  const intermediate = chainPem.slice(chainPem.lastIndexOf("-----BEGIN"));
  console.log(JSON.stringify({ trust: authority.trust, intermediate, tokenKey: JoinTokenKey.open(folder).id }));
} catch (failure) {
  if (!(failure instanceof StateError)) throw failure;
  console.log(JSON.stringify({ code: failure.code, message: failure.message }));
}
