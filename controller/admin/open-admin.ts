import type { AddressInfo } from "node:net";
import { type AdminRoute, startAdminServer } from "./server.ts";

export interface AdminPort {
  readonly address: { readonly host: string; readonly port: number };
  /** Ends the connections that are open, too. */
  close(): Promise<void>;
}

/** Opens the admin port; port 0 lets the system choose. Rejects with an AdminServerError. */
export async function openAdmin(where: AdminPort["address"], routes: readonly AdminRoute[]): Promise<AdminPort> {
  const server = await startAdminServer(where, [...routes]);
  return {
    address: { host: where.host, port: (server.address() as AddressInfo).port },
    close: () =>
      new Promise<void>((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}
