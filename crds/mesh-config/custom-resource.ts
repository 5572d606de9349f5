import type { CustomResource } from "../core/custom-resource.ts";
import { MESH_CONFIG_NAME } from "./validate.ts";

export const meshConfigResource: CustomResource = {
  columns: [
    { name: "Trust domain", description: "The trust domain of every identity.", path: ".spec.trustDomain" },
    { name: "Access", description: "What happens to a request that no rule speaks of.", path: ".spec.access.default" },
    { name: "TLS", description: "The lowest version of TLS.", path: ".spec.tls.minVersion", wide: true },
  ],
  rules: [
    {
      at: "",
      rule: `self.metadata.name == '${MESH_CONFIG_NAME}'`,
      message: `there is one MeshConfig and its name is ${MESH_CONFIG_NAME}`,
    },
    {
      at: "spec",
      rule: "(has(self.trustDomain) ? self.trustDomain : 'cluster.local') == (has(oldSelf.trustDomain) ? oldSelf.trustDomain : 'cluster.local')",
      message: "trustDomain cannot be changed: every identity of the mesh is made of it",
    },
    {
      at: "spec.trustDomain",
      rule: "self.matches('^[a-z0-9]([a-z0-9._-]*[a-z0-9])?$')",
      message: "a trust domain is lower-case letters, digits, dots, dashes and underscores, without spiffe:// and path",
    },
  ],
  namedLists: ["spec.access.namespaces"],
};
