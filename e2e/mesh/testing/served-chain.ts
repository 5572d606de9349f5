import { TLSSocket } from "node:tls";
import { connectTo, type Server } from "../../support/http-client.ts";

/** The certificates that a TLS server presents, leaf first, as PEM. */
export async function servedChain(server: Server): Promise<string> {
  const socket = await connectTo(server);
  if (!(socket instanceof TLSSocket)) throw new Error("a server without TLS presents no certificate");
  const pems: string[] = [];
  for (let certificate = socket.getPeerX509Certificate(); certificate !== undefined; certificate = certificate.issuerCertificate) {
    const pem = certificate.toString();
    if (pems.includes(pem)) break;
    pems.push(pem);
  }
  socket.destroy();
  return pems.join("");
}
