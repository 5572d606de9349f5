import { type CustomResource, STATUS_COLUMNS, TARGET_COLUMNS, TARGET_RULES } from "../core/custom-resource.ts";

export const authenticationPolicyResource: CustomResource = {
  columns: [
    ...TARGET_COLUMNS,
    { name: "Anonymous", description: "Whether a caller may come without proof.", path: ".spec.anonymous" },
    ...STATUS_COLUMNS,
  ],
  rules: [
    ...TARGET_RULES,
    {
      at: "spec.accept[].jwt.from[]",
      rule: "has(self.header) != has(self.query)",
      message: "say exactly one of header and query",
    },
  ],
  namedLists: [],
};
