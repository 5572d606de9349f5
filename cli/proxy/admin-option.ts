import { Option } from "commander";
import { type HostPort, hostPortOption } from "../host-port.ts";

/** Where the control plane's admin port is. */
export function adminOption(): Option {
  return new Option("--admin <host:port>", "the control plane's admin port")
    .argParser(hostPortOption)
    .default({ host: "127.0.0.1", port: 15014 } satisfies HostPort, "127.0.0.1:15014");
}
