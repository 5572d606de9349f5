import { type CustomResource, STATUS_COLUMNS, TARGET_COLUMNS, TARGET_RULES } from "../core/custom-resource.ts";

export const mutualTLSPolicyResource: CustomResource = {
  columns: [
    ...TARGET_COLUMNS,
    { name: "Mode", description: "Strict, Permissive or Disable.", path: ".spec.mode" },
    { name: "TLS", description: "The lowest version of TLS.", path: ".spec.minVersion", wide: true },
    ...STATUS_COLUMNS,
  ],
  rules: [
    ...TARGET_RULES,
    {
      at: "spec",
      rule: "has(self.mode) || has(self.minVersion) || has(self.postQuantum) || has(self.ports)",
      message: "says nothing: give a mode, minVersion, postQuantum or ports",
    },
    {
      at: "spec",
      rule: "!(has(self.postQuantum) && self.postQuantum == 'Require' && has(self.minVersion) && self.minVersion == '1.2')",
      message: 'post-quantum key exchange exists only in TLS 1.3: write minVersion "1.3", or postQuantum Prefer',
    },
  ],
  namedLists: [],
};
